"""Hardware for which a run is planned."""

import dataclasses

from tfstyle.system import gpus
from tfstyle.system import processors
from tfstyle.system.memory import free_memory
from tfstyle.system.memory import used_memory
from tfstyle.system.tensorflow_setup import return_freed_memory

PROGRAM = 0.9e9
"""Memory of TensorFlow, its kernels and the weights on a CPU, bytes."""
PROGRAM_ON_GPU = gpus.CONTEXT + 0.1e9
"""GPU memory of CUDA's kernels and the weights, bytes."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """Devices that share a picture, and their memory.

    Attributes:
        has_gpu: True if TensorFlow computes on a GPU.
        has_onednn: True if convolutions on the CPU use oneDNN.
        is_bfloat16_faster: True if the CPU computes the network clearly
            faster in bfloat16 than in float32.
        strategy: `one_device`, `mirrored` or `multi_worker`.
        num_replicas: number of devices that share a picture.
        memory: memory available to a run, bytes, infinity if unknown; None:
            measured on every call of `free_for_run`.
    """

    has_gpu: bool = False
    has_onednn: bool = False
    is_bfloat16_faster: bool = False
    strategy: str = "one_device"
    num_replicas: int = 1
    memory: float | None = None

    @classmethod
    def find(cls, strategy: str = "one_device", num_replicas: int = 1):
        """Describes this machine; TensorFlow must have been started."""
        return cls(
            has_gpu=gpus.has_gpu(),
            has_onednn=processors.has_onednn(),
            is_bfloat16_faster=processors.is_bfloat16_faster(),
            strategy=strategy,
            num_replicas=num_replicas,
        )

    @property
    def program_memory(self) -> float:
        """Memory of the program itself on the computing device, bytes."""
        return PROGRAM_ON_GPU if self.has_gpu else PROGRAM

    @property
    def kind_of_memory(self) -> str:
        """Name of the computing device's memory in messages."""
        return "GPU memory" if self.has_gpu else "memory"

    def free_for_run(self, enough: float, *, with_swap: bool = False) -> float:
        """Returns the memory available to a run, program included, in bytes.

        Args:
            enough: bytes; if fewer are free, memory that was freed is returned
                to the system first, which is slow.
            with_swap: True to include swap space.
        """
        if self.memory is not None:
            return self.memory
        if self.has_gpu:
            return gpus.free_gpu_memory()
        own = min(used_memory(), PROGRAM)
        free = free_memory(with_swap=with_swap) + own
        if free < enough:
            return_freed_memory()
            free = free_memory(with_swap=with_swap) + own
        return free

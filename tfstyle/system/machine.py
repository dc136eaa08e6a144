"""The hardware that a run is planned for."""

import dataclasses

from tfstyle.system import gpus
from tfstyle.system import processors
from tfstyle.system.memory import free_memory
from tfstyle.system.memory import used_memory
from tfstyle.system.tensorflow_setup import return_freed_memory

PROGRAM = 0.9e9
"""Bytes of TensorFlow, its kernels and the weights on a CPU."""
PROGRAM_ON_GPU = gpus.CONTEXT + 0.1e9
"""Bytes of CUDA's kernels and the weights on a GPU."""


@dataclasses.dataclass(frozen=True)
class Machine:
    """The devices that share a picture, and their memory.

    Attributes:
        has_gpu: whether TensorFlow computes on a GPU.
        has_onednn: whether convolutions on the CPU are oneDNN's.
        is_bfloat16_faster: whether the CPU computes the network clearly
            faster in bfloat16 than in float32.
        strategy: `one_device`, `mirrored` or `multi_worker`.
        num_replicas: devices that share a picture.
        memory: bytes that a run may have, infinity if that is unknown; None:
            what is free when it is asked for.
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
        """Bytes of the program itself on the device that computes."""
        return PROGRAM_ON_GPU if self.has_gpu else PROGRAM

    @property
    def kind_of_memory(self) -> str:
        """What messages call the memory of the device that computes."""
        return "GPU memory" if self.has_gpu else "memory"

    def free_for_run(self, enough: float, *, with_swap: bool = False) -> float:
        """Returns the bytes that a run may have, the program's included.

        Args:
            enough: bytes; if fewer are free, freed memory is returned to the
                system first, which takes a while.
            with_swap: whether disk space that serves as memory counts.
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

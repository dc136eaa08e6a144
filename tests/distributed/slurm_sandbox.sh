#!/usr/bin/env bash
# slurm_sandbox.sh DIR COMMAND...: runs COMMAND where a Slurm of two nodes is.
#
# Nodes n1 and n2 have a network namespace each, joined by a cable of their own:
# nothing listens outside of them. All daemons end with COMMAND. It needs root,
# Debian's slurm-wlm and munge, iproute2 and util-linux. DIR is an absolute path.
set -euo pipefail
if [[ -z ${IN_SANDBOX:-} ]]; then
    exec env IN_SANDBOX=1 unshare --net --mount --uts --pid --fork --kill-child \
        --mount-proc "$BASH" "$0" "$@"
fi
unset IN_SANDBOX
D=$1; shift
mkdir -p "$D"/{state,n1,n2,log}
printf '127.0.0.1 localhost\n10.77.0.1 n1\n10.77.0.2 n2\n' > "$D/hosts"
mount --bind "$D/hosts" /etc/hosts
hostname n1
unshare --net --uts sleep infinity & other=$!
ip link set lo up
until [[ $(readlink /proc/$other/ns/net) != $(readlink /proc/self/ns/net) ]]; do sleep 0.01; done
ip link add v1 type veth peer name v2 netns $other
ip addr add 10.77.0.1/24 dev v1 && ip link set v1 up
nsenter -t $other -n -u sh -c 'hostname n2 && ip link set lo up && ip addr add 10.77.0.2/24 dev v2 && ip link set v2 up'
cat > "$D/slurm.conf" <<END
ClusterName=test
SlurmctldHost=n1(10.77.0.1)
SlurmctldPort=17010
SlurmdPort=17011
SlurmUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$D/munge.socket
StateSaveLocation=$D/state
SlurmdSpoolDir=$D/%n
SlurmctldPidFile=$D/slurmctld.pid
SlurmdPidFile=$D/slurmd.%n.pid
SlurmctldLogFile=$D/log/slurmctld
SlurmdLogFile=$D/log/slurmd.%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SlurmdTimeout=300
SlurmdParameters=config_overrides
SchedulerType=sched/builtin
SchedulerParameters=sched_interval=2,batch_sched_delay=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
KillWait=30
GresTypes=gpu
NodeName=n[1-2] CPUs=16 RealMemory=1000 Gres=gpu:4
PartitionName=test Nodes=n[1-2] Default=YES MaxTime=INFINITE State=UP
END
echo 'Name=gpu File=/dev/tty[0-3]' > "$D/gres.conf"
echo 'CgroupPlugin=cgroup/v1' > "$D/cgroup.conf"
export SLURM_CONF=$D/slurm.conf
(umask 077; head -c 128 /dev/urandom > "$D/munge.key")
munged --force --socket="$D/munge.socket" --key-file="$D/munge.key" \
    --pid-file="$D/munged.pid" --log-file="$D/log/munged" \
    --seed-file="$D/munge.seed" --num-threads=1
slurmctld -c -D > /dev/null 2>&1 &
slurmd -N n1 -D > /dev/null 2>&1 &
nsenter -t $other -n -u slurmd -N n2 -D > /dev/null 2>&1 &
for _ in {1..50}; do
    [[ $(timeout 5 sinfo -h -o %D -t idle 2> /dev/null) == 2 ]] && break
    sleep 0.2
done
"$@" && status=0 || status=$?
exit $status

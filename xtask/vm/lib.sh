# What every scene has: miglink running in the guest's first namespace, cables to a namespace called far, traffic,
# snapshots of miglink beside the kernel's own tools, and the scene's expectations of what miglink says.
# Everything lands below /out and is judged on the host.

METRICS=http://127.0.0.1:10063/metrics
NICS=$(awk '$2 !~ /^far-/ { print $2 }' /nics)

# A line for whoever watches the run.
say() { echo "## $*"; }

# Starts miglink and waits until it has answered one scrape. Arguments are miglink's.
start_miglink() {
    miglink --web.listen-address=127.0.0.1:10063 "$@" >>/out/miglink.log 2>&1 &
    MIGLINK=$!
    tries=0
    until wget -q -O /tmp/first "$METRICS" 2>/dev/null; do
        tries=$((tries + 1))
        [ $tries -lt 60 ] || { say "miglink does not answer"; cat /out/miglink.log; return 1; }
        sleep 0.5
    done
    say "miglink answers: $(grep -vc '^#' /tmp/first) series"
}

# Fails the scene when miglink has ended.
alive() { kill -0 "$MIGLINK" || { say "miglink has ended"; tail -n 20 /out/miglink.log; return 1; }; }

# Runs a command at the far end of the cables.
far() { ip netns exec far "$@"; }

# Moves every cable's other end into the namespace far.
make_far() {
    ip netns add far
    far ip link set lo up
    for nic in $NICS; do ip link set "far-$nic" netns far; done
}

# address DEVICE N [FAR-DEVICE]: 10.0.N.1 here, 10.0.N.2 at the other end.
address() {
    ip addr add "10.0.$2.1/24" dev "$1"
    ip link set "$1" up
    far ip addr add "10.0.$2.2/24" dev "${3:-far-$1}"
    far ip link set "${3:-far-$1}" up
}

# Waits until the far end of subnet N answers; drivers need up to some seconds for their carrier.
reachable() {
    tries=0
    until ping -c 1 -W 1 "10.0.$1.2" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 20 ] || { say "10.0.$1.2 does not answer"; ip -br addr; return 1; }
    done
}

# nc would end a stream as soon as its own standard input ends, so the receiving end has a program.
printf '#!/bin/sh\nexec cat >/dev/null\n' >/tmp/sink
chmod +x /tmp/sink

# send N MEGABYTES and receive N MEGABYTES: one TCP stream through subnet N.
send() {
    far nc -l -p 5001 -e /tmp/sink & receiver=$!
    sleep 0.5
    dd if=/dev/zero bs=64k count=$(($2 * 16)) 2>/dev/null | nc "10.0.$1.2" 5001
    wait "$receiver"
}
receive() {
    nc -l -p 5002 -e /tmp/sink & receiver=$!
    sleep 0.5
    dd if=/dev/zero bs=64k count=$(($2 * 16)) 2>/dev/null | far nc "10.0.$1.1" 5002
    wait "$receiver"
}

# Asks the host to change the machine: `monitor set_link nic-e1000e off` pulls a cable, for example.
monitor() { echo "@monitor $*"; sleep 1; }

# One scrape of a frame that was taken after this call.
scrape() {
    now=$(date +%s.%N)
    tries=0
    while :; do
        wget -q -O "$1" "$METRICS"
        awk -v now="$now" '/^miglink_frame_timestamp_seconds/ && $2 > now { newer = 1 } END { exit !newer }' "$1" && return 0
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { say "no newer frame within 20 s"; return 1; }
        sleep 0.2
    done
}

# snap NAME: the kernel's tools, miglink, the kernel's tools again.
snap() {
    alive
    tools "/out/$1/before"
    scrape "/out/$1/metrics"
    tools "/out/$1/after"
    say "snapshot $1"
}

# expect SNAPSHOT 'WORDS': one expectation, judged on the host (xtask/src/vm/expect.rs has the words).
expect() { echo "$1 $2" >>/out/expect; }

# All that the kernel's tools say, into directory $1.
tools() {
    mkdir -p "$1"
    ip -s -s -d -j link >"$1/link.json"
    ip -j addr >"$1/addr.json"
    tc -s -d -j qdisc show >"$1/qdisc.json"
    cat /proc/net/softnet_stat >"$1/softnet"
    cat /proc/net/netstat /proc/net/snmp >"$1/netstat"
    (cd /sys/class/net && grep -sH '' */mtu */operstate */carrier */carrier_changes */speed */duplex \
        */device/numa_node */device/current_link_speed */device/current_link_width */bonding_slave/mii_status \
        */statistics/* */queues/*/tx_timeout) >"$1/sysfs" || true
    (cd /sys/class/infiniband 2>/dev/null && grep -sH '' */ports/*/state */ports/*/rate */ports/*/counters/* \
        */ports/*/hw_counters/*) >"$1/infiniband" || true
    for path in /sys/class/net/*; do
        device=${path##*/}
        [ -d "$path" ] || continue
        driver=$(readlink "$path/device/driver") && echo "$device/driver:${driver##*/}" >>"$1/sysfs"
        tc -s -d -j class show dev "$device" >"$1/class.$device.json" 2>/dev/null || true
        ethtool -i "$device" >"$1/ethtool-i.$device" 2>/dev/null || true
        case $device in lo | veth* | dummy*) continue ;; esac
        ethtool "$device" >"$1/ethtool.$device" 2>/dev/null || true
        for option in g l S; do ethtool "-$option" "$device" >"$1/ethtool-$option.$device" 2>/dev/null || true; done
        for option in a k; do ethtool --json "-$option" "$device" >"$1/ethtool-$option.$device.json" 2>/dev/null || true; done
        ethtool -I --json -a "$device" >"$1/ethtool-a.$device.json" 2>/dev/null || true
    done
}

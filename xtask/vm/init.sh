#!/bin/sh
# First process of the guest: loads the modules, names the NICs, runs one scene, sends /out to the host, stops.
export PATH=/usr/bin:/usr/sbin:/bin:/sbin
mount -t proc proc /proc; mount -t sysfs sys /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp; mount -t tmpfs run /run
while read -r module; do insmod "$module" || echo "## insmod $module failed"; done </modules
ip link set lo up

# /nics has lines "MAC NAME": the host made the machine, so it knows which address belongs to which model.
for path in /sys/class/net/*; do
    [ -d "$path" ] || continue
    name=$(awk -v mac="$(cat "$path/address")" '$1 == mac { print $2 }' /nics)
    [ -z "$name" ] || ip link set "${path##*/}" name "$name"
done

mkdir -p /out
(
    set -eu
    . /lib.sh
    . /scene.sh
) 2>&1
status=$?
dmesg >/out/dmesg.log
echo "$status" >/out/status
echo "## exit $status"
tar -C /out -c -f - . >"$(echo /dev/vport*p1)" 2>/dev/null
sync
poweroff -f

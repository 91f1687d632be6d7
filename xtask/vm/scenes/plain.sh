# about: every NIC model with an address and traffic: counters, rings, channels, speed, driver; then settings change
make_far
n=0
for nic in $NICS; do n=$((n + 1)); address "$nic" $n; done
start_miglink
for i in $(seq $n); do reachable "$i"; done
flow 1
snap busy
end_flow
for i in $(seq $n); do send "$i" 2; receive "$i" 2; done
READINGS="$READINGS interrupts"
snap quiet
READINGS=${READINGS% interrupts}
for nic in $NICS; do expect quiet "miglink_link_info{device=\"$nic\",kind=\"physical\",role=\"physical\"} == 1"; done
expect quiet 'absent miglink_link_info{device="lo"}'
expect quiet 'miglink_link_receive_bytes_total >= 10000000'
# All is healthy, but an emulated rtl8139 does lose packets of its 64 entries when the machine is busy.
for cause in send_buffer receive_window link_shared traffic_shaping softnet_backlog link_degraded pcie_limited mtu_mismatch; do
    expect quiet "miglink_link_slows_migration{cause=\"$cause\"} == 0"
done
expect quiet 'miglink_link_slows_migration{device="e1000e"} == 0'
expect quiet 'miglink_pcie_width{device="e1000e"} == 1'
expect quiet 'miglink_pcie_bandwidth_bytes_per_second{device="e1000e"} == 250000000'
expect quiet 'absent miglink_pcie_width{device="e1000"}'
for nic in $NICS; do
    # Two megabytes came through within the last minute, but not within a tenth of a second of an emulated machine.
    expect quiet "miglink_link_receive_peak_bytes_per_second{device=\"$nic\",window=\"1s\"} >= 100000"
    expect quiet "miglink_link_receive_peak_bytes_per_second{device=\"$nic\",window=\"1s\"} <= 4000000"
done

say "rings, channels and MTU change while miglink runs"
ethtool -G e1000e rx 512 tx 1024
# vmxnet3 makes a new queue, with new counters.
resets vmxnet3
ethtool -G vmxnet3 rx 2048 rx-jumbo 256
ip link set virtio mtu 9000
settles 512 miglink_link_ring_entries 'device="e1000e"' 'ring="rx"'
settles 256 miglink_link_ring_entries 'device="vmxnet3"' 'ring="rx_jumbo"'
settles 9000 miglink_link_mtu_bytes 'device="virtio"'
# A new ring made e1000e negotiate its link again.
settles 125000000 miglink_link_speed_bytes_per_second 'device="e1000e"'
snap resized
expect resized 'miglink_link_ring_entries{device="e1000e",ring="rx"} == 512'
expect resized 'miglink_link_ring_entries{device="e1000e",ring="tx"} == 1024'
expect resized 'miglink_link_ring_entries{device="vmxnet3",ring="rx"} == 2048'
expect resized 'miglink_link_mtu_bytes{device="virtio"} == 9000'

say "speeds change"
ethtool -s virtio speed 25000 duplex full
ethtool -s e1000e speed 100 duplex full autoneg off
settles 3125000000 miglink_link_speed_bytes_per_second 'device="virtio"'
settles 12500000 miglink_link_speed_bytes_per_second 'device="e1000e"'
snap slower
expect slower 'miglink_link_speed_bytes_per_second{device="virtio"} == 3125000000'
expect slower 'miglink_link_slows_migration{device="e1000e",phase="memory_copy",cause="link_degraded"} == 1'

say "a cable is pulled"
monitor set_link nic-e1000 off
settles 0 miglink_link_up 'device="e1000"'
gone 'miglink_link_speed_bytes_per_second{device="e1000"}'
snap pulled
expect pulled 'miglink_link_up{device="e1000"} == 0'
expect pulled 'miglink_link_carrier_changes_total{device="e1000"} since slower == 1'
monitor set_link nic-e1000 on
settles 125000000 miglink_link_speed_bytes_per_second 'device="e1000"'
snap plugged
expect plugged 'miglink_link_carrier_changes_total{device="e1000"} since slower == 2'

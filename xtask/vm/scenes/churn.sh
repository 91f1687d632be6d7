# about: links renamed, deleted and made again with the same index, moved between namespaces, unbound from their driver
make_far
n=0
for nic in $NICS; do n=$((n + 1)); address "$nic" $n; done
ip link add name one index 500 type veth peer name one-far
ip link set one-far netns far
address one 21 one-far
start_miglink
for i in $(seq $n) 21; do reachable "$i"; send "$i" 1; done
snap start
expect start 'present miglink_link_receive_bytes_total{device="one"}'

say "renamed with traffic on it"
flow 21
sleep 1
ip link set one name lan1
ip link set e1000e name lan0
end_flow
snap renamed
expect renamed 'absent miglink_link_info{device="one"}'
expect renamed 'absent miglink_link_receive_bytes_total{device="e1000e"}'
expect renamed 'miglink_link_info{device="lan0",driver="e1000e"} == 1'
expect renamed 'present miglink_link_ring_entries{device="lan0",ring="rx"}'
expect renamed 'present miglink_link_receive_bytes_total{device="lan1"}'
ip link set lan0 name e1000e

say "two links swap their names"
ip link set e1000e name swap
ip link set vmxnet3 name e1000e
ip link set swap name vmxnet3
snap swapped
expect swapped 'miglink_link_info{device="vmxnet3",driver="e1000e"} == 1'
expect swapped 'miglink_link_info{device="e1000e",driver="vmxnet3"} == 1'
expect swapped 'present miglink_link_ring_entries{device="e1000e",ring="rx_jumbo"}'
expect swapped 'absent miglink_link_ring_entries{device="vmxnet3",ring="rx_jumbo"}'
ip link set e1000e name swap
ip link set vmxnet3 name e1000e
ip link set swap name vmxnet3

say "deleted, and the index used by another link"
ip link del lan1
ip link add name two index 500 type dummy
ip addr add 10.0.22.1/24 dev two
ip link set two up
snap reused
expect reused 'absent miglink_link_info{device="lan1"}'
expect reused 'miglink_link_info{device="two",kind="dummy"} == 1'
expect reused 'absent miglink_link_receive_bytes_total{device="lan1"}'

say "deleted, and made again with the same name and index"
ip link del two
ip link add name two index 500 type veth peer name two-far
ip link set two-far netns far
address two 23 two-far
reachable 23
send 23 1
snap again
expect again 'miglink_link_info{device="two",kind="veth"} == 1'

say "moved to another namespace and back"
ip link set virtio netns far
snap away
expect away 'absent miglink_link_info{device="virtio"}'
expect away 'absent miglink_link_receive_bytes_total{device="virtio"}'
far ip link set virtio netns 1
ip link set virtio up
snap back
expect back 'miglink_link_info{device="virtio",driver="virtio_net"} == 1'

say "unbound from its driver and bound again"
function=$(basename "$(readlink -f /sys/class/net/e1000e/device)")
echo "$function" >/sys/bus/pci/drivers/e1000e/unbind
snap unbound
expect unbound 'absent miglink_link_info{device="e1000e"}'
echo "$function" >/sys/bus/pci/drivers/e1000e/bind
appears eth0
ip link set eth0 name e1000e
ip addr add 10.0.31.1/24 dev e1000e
ip link set e1000e up
settles 125000000 miglink_link_speed_bytes_per_second 'device="e1000e"'
snap bound
expect bound 'miglink_link_info{device="e1000e",driver="e1000e"} == 1'
expect bound 'present miglink_link_ring_entries{device="e1000e",ring="rx"}'

say "links come and go faster than they are sampled"
for i in $(seq 100); do
    echo "link add fast type veth peer name fast-peer
        addr add 10.0.40.1/24 dev fast
        link set fast up
        link set fast name fast$i
        link del fast$i"
done >/tmp/batch
for _ in 1 2 3; do ip -batch /tmp/batch; sleep 0.7; done
alive
snap calm
expect calm 'absent miglink_link_info{device="fast"}'
expect calm 'absent miglink_link_info{device="fast100"}'
expect calm 'miglink_source_success{source="links"} == 1'
expect calm 'miglink_source_success{source="link_counters"} == 1'

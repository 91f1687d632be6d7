# about: bonds (active-backup, 802.3ad), vlans on them, bridge, veth port, macvlan, vxlan, team; members come and go
make_far
# The far side bridges the two cables of the active-backup bond, and bonds the two of the 802.3ad one.
far ip link add br-far type bridge
for nic in e1000e vmxnet3; do far ip link set far-$nic master br-far up; done
far ip link add link br-far name far-vlan type vlan id 100
# QEMU's vmxnet3 forgets an address that is set before it is opened, so each member keeps its own.
ip link add backup type bond mode active-backup miimon 100 fail_over_mac active
for nic in e1000e vmxnet3; do ip link set $nic master backup; done
ip link set backup type bond active_slave vmxnet3
address backup 1 br-far
ip link add link backup name lan100 type vlan id 100
address lan100 2 far-vlan

ethtool -s virtio speed 1000 duplex full
for side in '' far; do $side ip link add lacp$side type bond mode 802.3ad miimon 100 lacp_rate fast; done
far ethtool -s far-virtio speed 1000 duplex full
far ethtool -s far-e1000 speed 1000 duplex full
for nic in virtio e1000; do ip link set $nic master lacp; far ip link set far-$nic master lacpfar; done
address lacp 3 lacpfar

ip link add guests type bridge
ip link add tap-like type veth peer name guest
ip link set guest netns far
ip link set tap-like master guests up
ip addr add 10.0.4.1/24 dev guests
ip link set guests up
far ip addr add 10.0.4.2/24 dev guest
far ip link set guest up
address rtl8139 5
ip link add link rtl8139 name mac0 type macvlan mode bridge
ip addr add 10.0.5.11/24 dev mac0
ip link set mac0 up
ip link add tunnel type vxlan id 7 remote 10.0.5.2 dstport 4789 dev rtl8139
far ip link add tunnel-far type vxlan id 7 remote 10.0.5.1 dstport 4789 dev far-rtl8139
address tunnel 6 tunnel-far
ip link add crew type team
ip link add crew-port type veth peer name crew-far
ip link set crew-port master crew
ip addr add 10.0.7.1/24 dev crew
ip link set crew up

start_miglink
for i in 1 2 3 4 5 6; do reachable $i; send $i 2; done
snap stacked
is() { expect stacked "miglink_link_info{device=\"$1\",kind=\"$2\",role=\"$3\",master=\"$4\",lower=\"$5\"} == 1"; }
is e1000e physical physical backup ''
is vmxnet3 physical physical backup ''
is backup bond addressed '' ''
is lan100 vlan addressed '' backup
is virtio physical physical lacp ''
is lacp bond addressed '' ''
is guests bridge addressed '' ''
is mac0 macvlan addressed '' rtl8139
is tunnel vxlan addressed '' rtl8139
is crew team addressed '' ''
is crew-port veth carrier crew ''
expect stacked 'absent miglink_link_info{device="tap-like"}'
expect stacked 'miglink_bond_info{device="backup",kind="bond",mode="active-backup",hash_policy="",lacp_rate=""} == 1'
expect stacked 'miglink_bond_info{device="lacp",kind="bond",mode="802.3ad",hash_policy="layer2",lacp_rate="fast"} == 1'
for bond in backup lacp; do expect stacked "miglink_bond_members_up{device=\"$bond\"} == 2"; done
expect stacked 'miglink_bond_members_active{device="backup"} == 1'
expect stacked 'miglink_bond_members_active{device="lacp"} == 2'
expect stacked 'miglink_bond_members{device="crew"} == 1'
# One connection uses one member of the 802.3ad bond.
expect stacked 'miglink_link_slows_migration{device="lacp",phase="memory_copy",cause="single_stream"} == 1'
expect stacked 'miglink_link_slowdown_ratio{device="lacp",phase="memory_copy"} == 2'
expect stacked 'miglink_link_slows_migration{device="backup",phase="memory_copy",cause="single_stream"} == 0'

say "the active member's cable is pulled"
monitor set_link nic-vmxnet3 off
settles 0 miglink_link_up 'device="vmxnet3"'
reachable 1
send 1 1
snap failover
expect failover 'miglink_link_transmit_bytes_total{device="e1000e"} since stacked >= 1000000'
expect failover 'miglink_link_carrier_changes_total{device="vmxnet3"} since stacked == 1'
monitor set_link nic-vmxnet3 on
settles 1 miglink_link_up 'device="vmxnet3"'

say "a cable of the 802.3ad bond is pulled"
slows() { echo "miglink_link_slows_migration{device=\"$1\",phase=\"memory_copy\",cause=\"link_degraded\"}"; }
for bond in backup lacp; do for at in stacked failover; do expect $at "$(slows $bond) == 0"; done; done
monitor set_link nic-e1000 off
settles 1 miglink_link_slows_migration 'device="lacp",phase="memory_copy",cause="link_degraded"'
snap degraded
expect degraded 'miglink_bond_members_up{device="lacp"} == 1'
expect degraded "$(slows lacp) == 1"
expect degraded "$(slows backup) == 0"
expect degraded 'miglink_link_slowdown_ratio{device="lacp",phase="memory_copy"} == 2'
monitor set_link nic-e1000 on
settles 0 miglink_link_slows_migration 'device="lacp",phase="memory_copy",cause="link_degraded"'

say "a member is released, another joins"
ip link set virtio nomaster
ip link set dev crew-port nomaster
ip link set virtio down
ip link set virtio master backup
# LACP still sorts the member in that was pulled, and tells nobody: miglink looks every ten seconds which members carry, and
# reads the bond's speed again when they are others.
sleep 5
PATIENCE=14 settles $(($(cat /sys/class/net/lacp/speed) * 125000)) miglink_link_speed_bytes_per_second 'device="lacp"'
snap released
expect released 'miglink_link_info{device="virtio",master="backup"} == 1'
expect released 'absent miglink_link_info{device="crew-port"}'

say "a member is unplugged, and plugged again"
function=$(basename "$(readlink -f /sys/class/net/e1000e/device)")
echo 1 >/sys/bus/pci/devices/"$function"/remove
gone 'device="e1000e"'
snap unplugged
expect unplugged 'absent miglink_link_info{device="e1000e"}'
expect unplugged 'absent miglink_link_receive_bytes_total{device="e1000e"}'
expect unplugged 'present miglink_link_info{device="backup"}'
echo 1 >/sys/bus/pci/rescan
appears eth0
ip link set eth0 name e1000e
ip link set e1000e master backup
settles 125000000 miglink_link_speed_bytes_per_second 'device="e1000e"'
snap replugged
expect replugged 'miglink_link_info{device="e1000e",kind="physical",driver="e1000e",master="backup"} == 1'
expect replugged 'present miglink_link_ring_entries{device="e1000e",ring="rx"}'

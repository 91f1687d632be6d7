# about: tbf, htb with leaves, prio, netem, fq and ingress qdiscs on NICs and a veth, with traffic; then replaced
make_far
address e1000e 1
address vmxnet3 2
address virtio 3
ip link add shaped type veth peer name shaped-far
ip link set shaped-far netns far
address shaped 4 shaped-far

tc qdisc add dev e1000e root handle 1: tbf rate 40mbit burst 32kb latency 20ms
tc qdisc add dev vmxnet3 root handle 2: htb default 20
tc class add dev vmxnet3 parent 2: classid 2:1 htb rate 100mbit
tc class add dev vmxnet3 parent 2:1 classid 2:10 htb rate 30mbit ceil 100mbit
tc class add dev vmxnet3 parent 2:1 classid 2:20 htb rate 10mbit ceil 30mbit
tc qdisc add dev vmxnet3 parent 2:10 handle 10: fq limit 50
tc qdisc add dev vmxnet3 parent 2:20 handle 20: netem delay 5ms loss 1% limit 100
tc qdisc add dev virtio root handle 3: prio
tc qdisc add dev virtio parent 3:2 handle 32: tbf rate 20mbit burst 16kb limit 30kb
tc qdisc add dev virtio clsact
# What leaves by this one is lost at times, and what comes back overtakes itself: TCP's own counters move too.
tc qdisc add dev shaped root handle 4: netem delay 3ms limit 20 loss 2%
far tc qdisc add dev shaped-far root netem delay 10ms reorder 50%
start_miglink
for i in 1 2 3 4; do reachable $i; done

flow 1
snap busy
end_flow
send 1 20
for i in 1 2 3 4; do send $i 4; receive $i 1; done
receive 4 4
snap quiet
expect quiet 'miglink_qdisc_bytes_total{device="e1000e",kind="tbf"} >= 20000000'
expect quiet 'miglink_qdisc_overlimits_total{device="e1000e",kind="tbf"} >= 1'
expect quiet 'present miglink_qdisc_bytes_total{device="vmxnet3",kind="htb",handle="2:"}'
expect quiet 'miglink_qdisc_drops_total{device="vmxnet3",kind="netem",handle="20:"} >= 1'
expect quiet 'present miglink_qdisc_bytes_total{device="shaped",kind="netem"}'
for counter in retransmitted_segments out_of_order_segments; do
    expect quiet "miglink_tcp_${counter}_total since busy >= 1"
done

say "a backlog stands"
# So slow that nothing leaves while it is looked at.
tc qdisc replace dev e1000e root handle 1: tbf rate 80bit burst 2kb limit 60kb
ping -c 30 -i 0.02 -s 1200 -W 1 10.0.1.2 >/dev/null || true
snap backlog
expect backlog 'miglink_qdisc_backlog_bytes{device="e1000e",kind="tbf"} >= 1000'

say "qdiscs are replaced"
tc qdisc del dev e1000e root
tc qdisc replace dev virtio root handle 5: netem delay 1ms
send 3 1
snap replaced
expect replaced 'absent miglink_qdisc_bytes_total{device="e1000e",kind="tbf"}'
expect replaced 'absent miglink_qdisc_bytes_total{device="virtio",kind="prio"}'
expect replaced 'present miglink_qdisc_bytes_total{device="virtio",kind="netem",handle="5:"}'

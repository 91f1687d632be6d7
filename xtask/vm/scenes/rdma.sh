# about: soft-RoCE on a NIC: port and hardware counters of /sys/class/infiniband, with traffic
make_far
address e1000e 1
reachable 1
rdma link add rxe0 type rxe netdev e1000e
sleep 1
start_miglink
ibv_rc_pingpong -d rxe0 -g 1 -n 200 -s 4096 >/tmp/server & server=$!
sleep 1
ibv_rc_pingpong -d rxe0 -g 1 -n 200 -s 4096 127.0.0.1 >/tmp/client || { cat /tmp/client; return 1; }
wait $server
snap quiet
# A message of 4096 bytes is four packets, 200 there and 200 back; soft-RoCE counts no bytes.
for way in receive transmit; do
    expect quiet "miglink_rdma_${way}_packets_total{rdma_device=\"rxe0\",port=\"1\",device=\"e1000e\"} >= 1600"
done
expect quiet 'miglink_rdma_active{rdma_device="rxe0"} == 1'
expect quiet 'miglink_rdma_info{rdma_device="rxe0",link_layer="Ethernet"} == 1'
expect quiet 'absent miglink_rdma_transmit_bytes_total{rdma_device="rxe0"}'
# soft-RoCE counts no congestion notifications, and nothing has migrated.
for cause in rdma_congestion rdma_unused; do expect quiet "absent miglink_link_slows_migration{cause=\"$cause\"}"; done
expect quiet 'miglink_link_slows_migration == 0'

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
sleep 3
snap quiet
expect quiet 'present miglink_rdma_port_transmit_bytes_total{rdma_device="rxe0",port="1"}'

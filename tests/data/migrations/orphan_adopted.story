# It was over before it was seen: the kernel's last words of a connection, and the last figures of a guest agree.
0     process web
0     process other
1000  open a nobody 40000>49152
1000  pace a sent=50M received=10K busy=300
1000  close a
1040  wanted web other
1100  qmp other none
1100  qmp web completed way=out total=320 setup=10 downtime=40 transferred=50M
1140  expect web outgoing result=completed start=680~20 memory_copy=270 state_transfer=40 pause=40 sockets=50M device=eth0 wire=eth0
1140  absent other outgoing
1400  news began=1 ended=1 carried=50M
9000  news began=1 ended=1 carried=50M

# QEMU sets `completed` before it has computed the times: such an answer is no last word.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  qmp web completed way=out total=0 transferred=100M
1010  expect web outgoing result=none
1050  qmp web completed way=out total=20 setup=15 downtime=30 transferred=100M
1060  expect web outgoing result=none
1100  close a
1150  qmp web completed way=out total=1050 setup=5 downtime=45 transferred=105M
1200  expect web outgoing result=completed setup=5 memory_copy=1000 state_transfer=45 pause=45 transferred=105M
1400  news began=1 ended=1

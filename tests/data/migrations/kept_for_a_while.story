# A finished one is shown as long as it was asked for, and its last row of a connection makes no new one.
0     keep 1000
0     process web
0     guest web runs
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
2000  close a
2000  qmp web completed way=out total=2000 setup=5 downtime=20 transferred=200M
2900  expect web outgoing result=completed
3300  absent web outgoing
9000  news began=1 ended=1 carried=200M~1M
9000  absent web outgoing

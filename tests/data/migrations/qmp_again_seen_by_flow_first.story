# The second migration's flow is there before its words; the last answer of the first still stands.
0     process web
0     open a web 40000>49152
0     pace a sends=100M
100   qmp web active way=out total=100 setup=5 transferred=10M
1000  close a
1000  qmp web completed way=out total=1000 setup=5 downtime=20 transferred=100M
1300  news ended=1
1500  open b web 40002>49152
1520  qmp web completed way=out total=1000 setup=5 downtime=20 transferred=100M
1540  pace b sends=100M
1600  qmp web completed way=out total=1000 setup=5 downtime=20 transferred=100M
1660  expect web outgoing result=none
1700  qmp web active way=out total=200 setup=5 transferred=15M
2500  close b
2500  qmp web completed way=out total=1000 setup=5 downtime=30 transferred=96M
2600  expect web outgoing result=completed told=96M pause=30
2900  news began=2 ended=2

# The destination dies: the source says so; here at the destination its process is gone.
0     process source
0     process target incoming
1000  open a source 40000>49152
1000  pace a sends=100M
1000  open b target 49153>41000 accepted
1000  pace b receives=100M
1100  qmp source active way=out total=100 setup=5 transferred=10M
1100  qmp target active way=in
2000  dies target
2000  close b
2000  close a
2050  event source failed at=2010
2900  gone target
3000  expect source outgoing result=failed end=2010
3000  expect target incoming result=failed end=2000
7000  news began=2 ended=2

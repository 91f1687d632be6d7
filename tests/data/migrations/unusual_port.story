# A connection on a port of no known use must carry more and stay one-sided.
0     process web
0     guest web runs
1000  open a web 40000>9999
1000  pace a sends=100M
1500  absent web outgoing
1900  expect web outgoing phase=memory_copy start=1000~20 sockets=88M~4M
2000  close a
2000  guest web stands
4000  expect web outgoing result=completed end=2000
4000  news began=1 ended=1 carried=100M~1M

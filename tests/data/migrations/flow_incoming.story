0     process web incoming
1000  open a web 49152>40000 accepted
1000  pace a receives=100M sends=100K
1300  expect web incoming phase=memory_copy start=1000~20
3000  close a
3010  guest web runs
5000  expect web incoming result=completed end=3000
5000  news began=1 ended=1 carried=200M~1M

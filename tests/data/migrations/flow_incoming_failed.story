# The destination stays where it is, its guest never ran.
0     process web incoming
0     guest web stands
1000  open a web 49152>40000 accepted
1000  pace a receives=100M sends=100K
3000  close a
5000  expect web incoming result=failed end=3000

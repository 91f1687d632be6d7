# Much goes one way over a port of migrations, and the hypervisor that is asked says that there is none.
0     process web monitor
0     process mute monitor
1000  open brick web 40000>49152
1000  pace brick sends=500M
1000  open a mute 40001>49153
1000  pace a sends=500M
1100  busy mute
1150  expect mute outgoing phase=memory_copy      # nobody can be asked: its bytes tell
1150  qmp web none
1600  qmp web none
6000  absent web outgoing
6000  news began=1

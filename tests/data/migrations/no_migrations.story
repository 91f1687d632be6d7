# Storage, consoles, Gluster's bricks and what a hypervisor denies are no migrations, however much they carry.
0     process web
0     process disk
0     process brick
0     process denied
0     guest web runs
1000  open iscsi web 40000>3260
1000  pace iscsi sends=200M
1000  open nbd disk 40000>10809
1000  pace nbd receives=300M
1000  open vnc web 5900>50000 accepted
1000  pace vnc sends=50M
1000  open spice web 5930>49200 accepted
1000  pace spice sends=50M
1000  open gluster brick 40000>49152
1000  pace gluster sends=100M receives=40M
1000  open other denied 40000>49160
1000  pace other sends=1M
1100  qmp denied none
1200  qmp denied none
2000  qmp denied none
2040  pace other sends=100M
3500  qmp denied none
8000  absent web outgoing
8000  absent disk incoming
8000  absent disk outgoing
8000  absent brick outgoing
8000  absent brick incoming
8000  absent denied outgoing
8000  news began=0 ended=0 carried=0

 COPY public.c (time, site, v) FROM stdin;
2023-11-14 22:13:20+00	A\tB	1.5
\N	x	2
\.

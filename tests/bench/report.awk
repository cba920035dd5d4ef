# SPDX-License-Identifier: GPL-2.0-or-later
# Figures of run.sh into a table, or JSON (-v json=1).  Lines of tabbed fields:
#   I KEY TEXT                         about the run
#   F FS HOW, L FS REASON              measured, left out
#   R ROW THREADS KIND UNIT            a row
#   M ROUND FS ROW THREADS SECONDS     a figure: seconds for one unit
#   X FS ROW REASON                    a row that this file system can't
#   D ROUND FS RSS HWM FDS CPU         the daemon at the end of a round
#   S FS ROW SIZE SECONDS              cost against size
BEGIN { FS = "\t" }
$1 == "I" { info[$2] = $3; infos[++ninfo] = $2 }
$1 == "F" { how[$2] = $3; fss[++nfs] = $2 }
$1 == "L" { if (!($2 in out)) outs[++nout] = $2; out[$2] = $3 }
$1 == "R" { rows[++nrow] = $2 SUBSEP $3; kind[$2] = $4; unit[$2] = $5 }
$1 == "M" { m[$2, $3, $4, $5] = $6; if ($2 > rounds) rounds = $2 }
$1 == "X" { if (!(($2, $3) in fails)) failed[++nfail] = $2 SUBSEP $3; fails[$2, $3] = $4 }
$1 == "D" { if (!($3 in daemon)) daemons[++ndaemon] = $3; daemon[$3] = 1
	    dn[$3]++; drss[$3, dn[$3]] = $4; dhwm[$3, dn[$3]] = $5
	    dfds[$3, dn[$3]] = $6; dcpu[$3, dn[$3]] = $7; dat[$3, dn[$3]] = $2 }
$1 == "S" { s[$2, $3, $4] = $5; if (!($4 in sizeseen)) sizes[++nsize] = $4; sizeseen[$4] = 1 }
END {
	split("bindfs bindfs-mt fuse-overlayfs", peers, " ")
	if (nsize)
		json ? scale_json() : scale_table()
	else
		json ? report_json() : report_table()
}

# Sets med, low and high of v[1..n].
function spread(v, n,    i, j, t) {
	for (i = 2; i <= n; i++)
		for (j = i; j > 1 && v[j - 1] > v[j]; j--) {
			t = v[j]; v[j] = v[j - 1]; v[j - 1] = t
		}
	low = v[1]; high = v[n]
	med = n % 2 ? v[(n + 1) / 2] : (v[n / 2] + v[n / 2 + 1]) / 2
	return n
}
# A row's figures (raw), ratios to another file system, or to the best peer.
function seconds(fs, row,    r, n, v) {
	for (r = 1; r <= rounds; r++)
		if ((r, fs, row) in m) v[++n] = m[r, fs, row] + 0
	return n ? spread(v, n) : 0
}
function ratio(fs, row, to,    r, n, v) {
	for (r = 1; r <= rounds; r++)
		if ((r, fs, row) in m && (r, to, row) in m && m[r, to, row] > 0)
			v[++n] = m[r, fs, row] / m[r, to, row]
	return n ? spread(v, n) : 0
}
function to_best(fs, row,    r, n, v, p, best) {
	for (r = 1; r <= rounds; r++) {
		best = 0
		for (p = 1; p in peers; p++)
			if ((r, peers[p], row) in m && (!best || m[r, peers[p], row] + 0 < best))
				best = m[r, peers[p], row] + 0
		if (best && (r, fs, row) in m) v[++n] = m[r, fs, row] / best
	}
	return n ? spread(v, n) : 0
}
function human(x, u) {
	if (u == "MiB") return sprintf("%.0f MB/s", 1.048576 / x)
	if (x < 1e-3) return sprintf("%.2f us", x * 1e6)
	return x < 1 ? sprintf("%.1f ms", x * 1e3) : sprintf("%.2f s", x)
}
function cell(n) {
	if (!n) return "-"
	return sprintf(med < 10 ? "%.2f~%.2f" : "%.1f~%.1f", med, (high - low) / 2)
}
function measured(fs,    i) {
	for (i = 1; i <= nrow; i++) if (seconds(fs, rows[i])) return 1
	return 0
}

function head(    i) {
	for (i = 1; i <= ninfo; i++) printf "%s: %s\n", infos[i], info[infos[i]]
}
function tail_notes(    i, p) {
	printf "\n"
	for (i = 1; i <= nfs; i++)
		if (!(fss[i] in out)) printf "%-15s %s\n", fss[i] ":", how[fss[i]]
	for (i = 1; i <= nout; i++)
		printf "left out: %s: %s\n", outs[i], out[outs[i]]
	for (i = 1; i <= nfail; i++) {
		split(failed[i], p, SUBSEP)
		printf "left out: %s of %s: %s\n", p[2], p[1], fails[failed[i]]
	}
}

function report_table(    i, f, p, n, ours) {
	head()
	printf "rounds: %d; ratios of time to raw, median~half of their range; smaller is faster\n\n", rounds
	printf "%-13s %3s %11s", "row", "thr", "raw"
	for (f = 1; f <= nfs; f++)
		if (fss[f] != "raw" && measured(fss[f])) printf " %12s", substr(fss[f], 1, 12)
	printf " %12s\n", "ours/best"
	for (i = 1; i <= nrow; i++) {
		split(rows[i], p, SUBSEP)
		n = seconds("raw", rows[i])
		printf "%-13s %3d %11s", p[1], p[2], n ? human(med, unit[p[1]]) : "-"
		for (f = 1; f <= nfs; f++)
			if (fss[f] != "raw" && measured(fss[f]))
				printf " %12s", cell(ratio(fss[f], rows[i], "raw"))
		printf " %12s\n", cell(to_best("idshift", rows[i]))
	}
	summary()
	daemon_table("round")
	tail_notes()
}

function geomean(threads, what,    i, p, n, sum) {
	for (i = 1; i <= nrow; i++) {
		split(rows[i], p, SUBSEP)
		if (p[2] != threads || kind[p[1]] != "meta") continue
		if (what == "best" ? to_best("idshift", rows[i]) : ratio("idshift", rows[i], what)) {
			sum += log(med); n++
		}
	}
	meanof = n
	return n ? exp(sum / n) : 0
}
function summary(    i, p, x, one, list) {
	printf "\n"
	for (i = 1; i <= 4; i += 3) {
		if (x = geomean(i, "best"))
			printf "idshift to the best peer, geometric mean of %d metadata rows, threads %d: %.2f\n", meanof, i, x
		if (x = geomean(i, "base"))
			printf "idshift to base, geometric mean of %d metadata rows, threads %d: %.2f\n", meanof, i, x
	}
	for (i = 1; i <= nrow; i++) {
		split(rows[i], p, SUBSEP)
		if (p[1] ~ /cold$/ && ratio("records", rows[i], "idshift"))
			printf "records to none, %s, threads %d: %s\n", p[1], p[2], cell(1)
	}
	for (i = 1; i <= nrow; i++)
		if (ratio("idshift", rows[i], "base")) {
			split(rows[i], p, SUBSEP)
			printf "idshift to base, %s, threads %d: %s\n", p[1], p[2], cell(1)
		}
	for (i = 1; i <= nrow; i++) {
		split(rows[i], p, SUBSEP)
		if (p[2] != 4 || !seconds("idshift", p[1] SUBSEP 1)) continue
		one = med
		if (seconds("idshift", rows[i]) && med > one * 1.1)
			list = list sprintf(" %s (%.2f)", p[1], one / med)
	}
	if (list) printf "idshift, throughput of 4 threads to that of 1 below 0.9:%s\n", list
}
function daemon_median(a, fs,    i, v) {
	for (i = 1; i <= dn[fs]; i++) v[i] = a[fs, i] + 0
	spread(v, dn[fs])
	return med
}
function daemon_table(    i, fs) {
	if (!ndaemon) return
	printf "\n%-15s %10s %10s %6s %10s\n", "daemon", "VmRSS kB", "VmHWM kB", "fds", "CPU s"
	for (i = 1; i <= ndaemon; i++) {
		fs = daemons[i]
		printf "%-15s %10d %10d %6d %10.2f\n", fs, daemon_median(drss, fs), daemon_median(dhwm, fs), daemon_median(dfds, fs), daemon_median(dcpu, fs)
	}
}

function scale_table(    i, f, k, names) {
	head()
	split("scale-readdir scale-walk scale-stat", names, " ")
	for (k = 1; k <= 3; k++) {
		printf "\n%-15s", substr(names[k], 7)
		for (i = 1; i <= nsize; i++) printf " %12d", sizes[i]
		printf "\n"
		for (f = 1; f <= nfs; f++) {
			printf "%-15s", fss[f]
			for (i = 1; i <= nsize; i++)
				printf " %12s", (fss[f], names[k], sizes[i]) in s ? human(s[fss[f], names[k], sizes[i]], "op") : "-"
			printf "\n"
		}
	}
	printf "\nafter the walk: VmRSS kB / descriptors\n"
	for (f = 1; f <= ndaemon; f++) {
		printf "%-15s", daemons[f]
		for (i = 1; i <= dn[daemons[f]]; i++)
			printf " %12s", drss[daemons[f], i] "/" dfds[daemons[f], i]
		printf "\n"
	}
	tail_notes()
}

# --- JSON ---

function q(x) {
	gsub(/\\/, "\\\\", x); gsub(/"/, "\\\"", x); gsub(/[[:cntrl:]]/, " ", x)
	return "\"" x "\""
}
function number(x) { return sprintf("%.6g", x) }
function triple(n) {
	return n ? "{\"median\": " number(med) ", \"min\": " number(low) ", \"max\": " number(high) "}" : "null"
}
function json_head(    i) {
	printf "{\n"
	for (i = 1; i <= ninfo; i++) printf "  %s: %s,\n", q(infos[i]), q(info[infos[i]])
	printf "  \"filesystems\": ["
	for (i = 1; i <= nfs; i++)
		printf "%s\n    {\"name\": %s, \"how\": %s}", (i > 1 ? "," : ""), q(fss[i]), q(how[fss[i]])
	printf "\n  ],\n  \"left_out\": ["
	for (i = 1; i <= nout; i++)
		printf "%s\n    {\"name\": %s, \"reason\": %s}", (i > 1 ? "," : ""), q(outs[i]), q(out[outs[i]])
	for (i = 1; i <= nfail; i++) {
		split(failed[i], hp, SUBSEP)
		printf "%s\n    {\"name\": %s, \"row\": %s, \"reason\": %s}", (i > 1 || nout ? "," : ""), q(hp[1]), q(hp[2]), q(fails[failed[i]])
	}
	printf "\n  ],\n"
}
function report_json(    i, f, p, comma) {
	json_head()
	printf "  \"rounds\": %d,\n  \"rows\": [", rounds
	for (i = 1; i <= nrow; i++) {
		split(rows[i], p, SUBSEP)
		printf "%s\n    {\"row\": %s, \"threads\": %d, \"kind\": %s, \"unit\": %s,\n     \"raw_seconds\": %s,\n     \"ratio\": {", \
			(i > 1 ? "," : ""), q(p[1]), p[2], q(kind[p[1]]), q(unit[p[1]]), triple(seconds("raw", rows[i]))
		comma = ""
		for (f = 1; f <= nfs; f++)
			if (fss[f] != "raw" && ratio(fss[f], rows[i], "raw")) {
				printf "%s\n       %s: %s", comma, q(fss[f]), triple(1)
				comma = ","
			}
		printf "},\n     \"to_best_peer\": %s,\n", triple(to_best("idshift", rows[i]))
		printf "     \"to_base\": %s,\n", triple(ratio("idshift", rows[i], "base"))
		printf "     \"records_to_none\": %s}", triple(ratio("records", rows[i], "idshift"))
	}
	printf "\n  ],\n  \"geometric_mean_to_best_peer\": {\"1\": %s, \"4\": %s},\n", \
		jnull(geomean(1, "best")), jnull(geomean(4, "best"))
	printf "  \"daemons\": ["
	for (i = 1; i <= ndaemon; i++)
		printf "%s\n    {\"name\": %s, \"rss_kb\": %d, \"hwm_kb\": %d, \"descriptors\": %d, \"cpu_seconds\": %s}", (i > 1 ? "," : ""), \
			q(daemons[i]), daemon_median(drss, daemons[i]), daemon_median(dhwm, daemons[i]), \
			daemon_median(dfds, daemons[i]), number(daemon_median(dcpu, daemons[i]))
	printf "\n  ]\n}\n"
}
function jnull(x) { return x ? number(x) : "null" }
function scale_json(    i, f, k, names, comma) {
	json_head()
	split("scale-readdir scale-walk scale-stat", names, " ")
	printf "  \"scale\": ["
	for (f = 1; f <= nfs; f++)
		for (k = 1; k <= 3; k++)
			for (i = 1; i <= nsize; i++)
				if ((fss[f], names[k], sizes[i]) in s) {
					printf "%s\n    {\"name\": %s, \"row\": %s, \"size\": %d, \"seconds\": %s}", comma, q(fss[f]), q(substr(names[k], 7)), sizes[i], number(s[fss[f], names[k], sizes[i]])
					comma = ","
				}
	printf "\n  ],\n  \"memory\": ["
	comma = ""
	for (f = 1; f <= ndaemon; f++)
		for (i = 1; i <= dn[daemons[f]]; i++) {
			printf "%s\n    {\"name\": %s, \"size\": %d, \"rss_kb\": %d, \"descriptors\": %d}", comma, q(daemons[f]), dat[daemons[f], i], drss[daemons[f], i], dfds[daemons[f], i]
			comma = ","
		}
	printf "\n  ]\n}\n"
}

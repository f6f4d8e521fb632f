// Processor time and memory of processes, from /proc, and trends of such values.

import { readFile, readdir } from "node:fs/promises";

/** Clock ticks per second in /proc/PID/stat (USER_HZ, proc(5)). */
const TICKS = 100;

/** All descendants of this process. @returns {Promise<number[]>} */
export async function descendants(root = process.pid) {
    const parents = new Map();
    for (const name of await readdir("/proc")) {
        if (!/^\d+$/.test(name)) continue;
        const stat = await readFile(`/proc/${name}/stat`, "utf8").catch(() => null);
        if (stat !== null) parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]));
    }
    const found = [root];
    for (const parent of found) for (const [pid, its] of parents) if (its === parent) found.push(pid);
    return found.slice(1);
}

/** Processor seconds of `pids` so far; ended processes count 0. */
export async function cpuSeconds(pids) {
    let ticks = 0;
    for (const pid of pids) {
        const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => null);
        if (stat === null) continue;
        const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
        ticks += Number(fields[11]) + Number(fields[12]);
    }
    return ticks / TICKS;
}

/** Proportional set size (PSS) of `pids` in bytes: shared memory is divided among its users. */
export async function proportional(pids) {
    let sum = 0;
    for (const pid of pids) {
        const text = await readFile(`/proc/${pid}/smaps_rollup`, "utf8").catch(() => "");
        sum += 1024 * Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0);
    }
    return sum;
}

/** Resident set size of one process in bytes. */
export async function resident(pid) {
    const text = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
    return 1024 * Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? NaN);
}

/**
 * Fits a straight line to `values` at `times` by least squares.
 * @returns {{slope: number, error: number}} per unit of time, and its standard error
 */
export function line(times, values) {
    const mean = (all) => all.reduce((sum, one) => sum + one, 0) / all.length;
    const [t, v] = [mean(times), mean(values)];
    const spread = times.reduce((sum, time) => sum + (time - t) ** 2, 0);
    const slope = times.reduce((sum, time, i) => sum + (time - t) * (values[i] - v), 0) / spread;
    const rest = times.reduce((sum, time, i) => sum + (values[i] - v - slope * (time - t)) ** 2, 0);
    return { slope, error: Math.sqrt(rest / Math.max(1, times.length - 2) / spread) };
}

/**
 * Whether `values` grow over `times` by more than `tolerance` from first to last. The growth must be
 * statistically significant, and the minimum must rise as well: a browser's memory is a sawtooth, released
 * in large pieces every few minutes.
 * @returns {{slope: number, error: number, growth: number, risen: number, grows: boolean}} `growth` of the line,
 *     `risen` from the minimum of the first third to that of the last
 */
export function trend(times, values, tolerance) {
    const { slope, error } = line(times, values);
    const growth = slope * (times.at(-1) - times[0]);
    const third = Math.ceil(values.length / 3);
    const risen = Math.min(...values.slice(-third)) - Math.min(...values.slice(0, third));
    return { slope, error, growth, risen, grows: slope > 2 * error && Math.min(growth, risen) > tolerance };
}

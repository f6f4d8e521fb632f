// Plays the sound of one camera as it comes, with WebAudio: a short buffer, and nothing that is old.

/** Sound waits for so long before it is played, in seconds, so that packets may come unevenly. */
const BUFFER = 0.15;
/** Sound that would be played later than this, in seconds, is dropped: what is not live is never heard. */
const MAX_DELAY = 1;
/** With more than this in the buffer, in seconds, some is left out: the camera's clock is faster than this machine's. */
const MAX_BUFFER = 0.35;

export class SoundPlayer {
    #context;
    #gain;
    /** When the next sound begins, by the clock of WebAudio. */
    #next = 0;
    /** The quickest way from the agent: page time minus agent time, in milliseconds. */
    #way = Infinity;
    /** @type {Set<AudioBufferSourceNode>} */
    #sources = new Set();
    /** Page time at which the last sound was given to be played. */
    playedAt = -Infinity;

    /** @param {AudioContext} context */
    constructor(context) {
        this.#context = context;
        this.#gain = context.createGain();
        this.#gain.gain.value = 0;
        this.#gain.connect(context.destination);
    }

    /** A moment at which the agent's time was `agentNow`. @param {number} agentNow milliseconds @param {number} now page time */
    note(agentNow, now) {
        this.#way = Math.min(this.#way, now - agentNow);
    }

    get isHeard() {
        return this.#gain.gain.value > 0;
    }

    /** @param {boolean} heard */
    setHeard(heard) {
        this.#gain.gain.value = heard ? 1 : 0;
        if (!heard) this.#stop();
    }

    /**
     * Plays samples after those before.
     * @param {Float32Array<ArrayBuffer>[]} channels
     * @param {number} rate
     * @param {number} taken agent time in milliseconds
     * @param {number} now page time
     */
    play(channels, rate, taken, now) {
        this.note(taken, now);
        if (!this.isHeard || channels[0].length === 0 || this.#context.state !== "running") return;
        const time = this.#context.currentTime;
        if (this.#next < time) this.#next = time + BUFFER;
        const late = (now - taken - this.#way) / 1000;
        const waits = this.#next - time;
        if (waits > MAX_BUFFER || late + waits > MAX_DELAY) return;
        const buffer = this.#context.createBuffer(channels.length, channels[0].length, rate);
        channels.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
        const source = this.#context.createBufferSource();
        source.buffer = buffer;
        source.connect(this.#gain);
        source.onended = () => this.#sources.delete(source);
        source.start(this.#next);
        this.#sources.add(source);
        this.#next += buffer.duration;
        this.playedAt = now;
    }

    /** Ends it at once. */
    close() {
        this.#stop();
        this.#gain.disconnect();
    }

    #stop() {
        for (const source of this.#sources) source.stop();
        this.#sources.clear();
        this.#next = 0;
    }
}

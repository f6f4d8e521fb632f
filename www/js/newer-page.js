// A page that runs for months must notice that the agent was updated, and become the new page, once.
//
// Loading a page anew is the one moment in which it can be lost: an agent that is just then away
// leaves the browser's error page, which tries nothing again. So it is done only when the new agent
// has answered several times and every file of this page could be fetched from it.

/** Answers of the new version in a row. */
const ANSWERS = 2;
const FETCHED_WITHIN = 5000;

export class NewerPage {
    /** The agent this page came from; null before it was heard. */
    #version = null;
    #seen = { version: null, answers: 0 };
    #renewing = false;

    /** The agent has answered, and calls itself `version`. */
    heard(version) {
        if (version === "") return;
        this.#version ??= version;
        if (version !== this.#seen.version) this.#seen = { version, answers: 0 };
        this.#seen.answers += 1;
        if (version !== this.#version && this.#seen.answers >= ANSWERS) this.#renew();
    }

    async #renew() {
        if (this.#renewing) return;
        this.#renewing = true;
        try {
            const answers = await Promise.all(ownFiles().map((url) =>
                fetch(url, { cache: "no-cache", signal: AbortSignal.timeout(FETCHED_WITHIN) })));
            if (answers.every((answer) => answer.ok)) location.reload();
        } catch {
            // Not now; the next answer of the agent tries again.
        } finally {
            this.#renewing = false;
        }
    }
}

function ownFiles() {
    const loaded = performance.getEntriesByType("resource").map((entry) => new URL(entry.name));
    const files = loaded.filter(({ origin, pathname }) => origin === location.origin && /\.(js|css)$/.test(pathname));
    return [...new Set([location.href, ...files.map(({ href }) => href)])];
}

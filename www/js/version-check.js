// Reloads the page once after the agent was updated, so that a page that runs for months stays current.
//
// A reload is the one moment in which the page can be lost: if the agent is down just then, the browser
// shows an error page, which never retries. So the page reloads only after the new agent has answered
// several times and has served every file of this page.

/** Answers of the new version in a row. */
const MIN_ANSWERS = 2;
const FETCH_TIMEOUT = 5000;

export class VersionCheck {
    /** Version of the agent this page came from; null before its first answer. @type {string | null} */
    #pageVersion = null;
    /** @type {{version: string | null, answers: number}} */
    #latest = { version: null, answers: 0 };
    #reloading = false;

    /** The agent answered with this version. @param {string} version */
    onAnswer(version) {
        if (version === "") return;
        this.#pageVersion ??= version;
        if (version !== this.#latest.version) this.#latest = { version, answers: 0 };
        this.#latest.answers += 1;
        if (version !== this.#pageVersion && this.#latest.answers >= MIN_ANSWERS) this.#reload();
    }

    async #reload() {
        if (this.#reloading) return;
        this.#reloading = true;
        try {
            const answers = await Promise.all(loadedFiles().map((url) =>
                fetch(url, { cache: "no-cache", signal: AbortSignal.timeout(FETCH_TIMEOUT) })));
            if (answers.every((answer) => answer.ok)) location.reload();
        } catch {
            // The agent's next answer starts another attempt.
        } finally {
            this.#reloading = false;
        }
    }
}

function loadedFiles() {
    const loaded = performance.getEntriesByType("resource").map((entry) => new URL(entry.name));
    const files = loaded.filter(({ origin, pathname }) => origin === location.origin && /\.(js|css)$/.test(pathname));
    return [...new Set([location.href, ...files.map(({ href }) => href)])];
}

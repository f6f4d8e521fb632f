// Keyboard focus on the wall: Tab reaches the wall once, arrow keys move inside it (roving tabindex).

export class RovingFocus {
    /** Index of the child that has the focus, or had it last. */
    index = 0;
    #root;

    /** @param {HTMLElement} root */
    constructor(root) {
        this.#root = root;
    }

    get element() {
        return this.#children[this.index];
    }

    /** @returns {HTMLElement[]} */
    get #children() {
        return /** @type {any} */ ([...this.#root.children]);
    }

    /** Whether the focus is on the wall now. */
    isInside() {
        return this.#root.contains(document.activeElement);
    }

    focus() {
        this.element?.focus({ preventScroll: true });
    }

    /** The browser moved the focus to `target`. @param {any} target */
    follow(target) {
        const index = this.#children.findIndex((child) => child.contains(target));
        if (index >= 0) this.index = index;
        this.update();
    }

    /** Makes one child reachable by Tab. */
    update() {
        const isAlone = this.#root.childElementCount === 1;
        this.#children.forEach((element, i) => {
            element.tabIndex = isAlone || i === this.index ? 0 : -1;
        });
    }
}

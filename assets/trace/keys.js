/**
 * Calls what a key is for, wherever on the page it is pressed, but for where one writes and in dialogs. `slider ArrowLeft` stands for
 * that key on the slider.
 * @param {HTMLElement} slider @param {Record<string, () => unknown>} actions by key; `Escape` works everywhere
 */
export function listenToKeys(slider, actions) {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]') !== null) return
    const target = /** @type {HTMLElement} */ (event.target)
    const isWriting = target.matches('select, input:not([type=range], [type=checkbox])')
    if (isWriting && event.key !== 'Escape') return
    const run = (target === slider ? actions[`slider ${event.key}`] : undefined) ?? actions[event.key]
    if (run === undefined) return
    event.preventDefault()
    run()
  })
}

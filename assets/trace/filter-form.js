/** @import { Filters } from './filters.js' */
import { fatesOf, parseSlots } from './filters.js'
import { byId, make } from './panel.js'

/**
 * One checkbox: what it stands for, how to find its count, and the set that holds it while it is hidden.
 * @typedef {{ box: HTMLInputElement, count: HTMLElement, isHidden: () => boolean, setHidden: (isHidden: boolean) => void, countNow: () => number }} Choice
 */

/** The form with the filters; calls `onChange` when one changed. */
export class FilterForm {
  /** @param {Filters} filters @param {() => void} onChange */
  constructor(filters, onChange) {
    this.filters = filters
    this.onChange = onChange
    /** @type {Choice[][]} */
    this.groups = []
    const { types } = filters.trace.data
    const indexes = types.map((_, i) => i).toSorted((a, b) => (types[a].name < types[b].name ? -1 : 1))
    for (const isMessage of [true, false]) {
      this.#addGroup(
        isMessage ? 'filter-messages' : 'filter-events',
        indexes.filter((i) => types[i].isMessage === isMessage),
        { nameOf: (i) => types[i].name, hidden: filters.hiddenTypes, countOf: (i) => filters.counts.types[i] ?? 0 },
      )
    }
    this.#addGroup('filter-fates', fatesOf(filters.trace), {
      nameOf: (fate) => fate,
      hidden: filters.hiddenFates,
      countOf: (fate) => filters.counts.fates.get(fate) ?? 0,
    })
    this.#addGroup('filter-lanes', [...filters.trace.laneNames.keys()], {
      nameOf: (lane) => filters.trace.laneNames[lane] ?? '',
      hidden: filters.hiddenLanes,
      countOf: (lane) => filters.counts.lanes[lane] ?? 0,
    })
    this.ballot = /** @type {HTMLSelectElement} */ (byId('filter-ballot'))
    this.slots = /** @type {HTMLInputElement} */ (byId('filter-slots'))
    for (let ballot = 0; ballot <= filters.trace.data.ballots.length; ballot++) {
      this.ballot.append(make('option', '', { value: String(ballot) }))
    }
    this.ballot.addEventListener('change', () => {
      filters.ballot = Number(this.ballot.value)
      this.#changed()
    })
    this.slots.addEventListener('input', () => this.#readSlots())
    byId('filters').addEventListener('submit', (event) => event.preventDefault())
    this.refresh()
  }

  /** Shows what the filters say now. */
  refresh() {
    const { filters } = this
    for (const choice of this.groups.flat()) {
      choice.box.checked = !choice.isHidden()
      choice.count.textContent = choice.countNow().toLocaleString('en')
    }
    for (const option of this.ballot.options) {
      const ballot = Number(option.value)
      const name = ballot === 0 ? 'any' : filters.trace.ballotName(ballot)
      option.textContent = ballot === 0 ? name : `${name} (${(filters.counts.ballots[ballot] ?? 0).toLocaleString('en')})`
    }
    this.ballot.value = String(filters.ballot)
    const { slots } = filters
    if (document.activeElement !== this.slots) {
      this.slots.value =
        slots === undefined ? '' : slots.first === slots.last ? String(slots.first) : `${slots.first}-${slots.last}`
    }
    byId('shown').textContent = filters.isActive
      ? `${filters.counts.shown.toLocaleString('en')} of ${filters.trace.count.toLocaleString('en')} events`
      : `${filters.trace.count.toLocaleString('en')} events`
    byId('clear-filters').hidden = !filters.isActive
  }

  #changed() {
    this.filters.recount()
    this.refresh()
    this.onChange()
  }

  #readSlots() {
    const text = this.slots.value.trim()
    const slots = parseSlots(text)
    const isWrong = text !== '' && slots === undefined
    byId('slots-error').textContent = isWrong ? 'One slot, as 12, or two, as 12-20.' : ''
    this.slots.setAttribute('aria-invalid', String(isWrong))
    if (isWrong) return
    this.filters.slots = slots
    this.#changed()
  }

  /**
   * @template T
   * @param {string} id @param {readonly T[]} items
   * @param {{ nameOf: (item: T) => string, hidden: Set<T>, countOf: (item: T) => number }} how
   */
  #addGroup(id, items, { nameOf, hidden, countOf }) {
    /** @type {Choice[]} */
    const group = []
    for (const item of items) {
      const row = make('div', '', { class: 'choice' })
      const label = make('label')
      const box = /** @type {HTMLInputElement} */ (make('input', '', { type: 'checkbox' }))
      const count = make('span', '', { class: 'count' })
      const only = make('button', 'only', { type: 'button', 'aria-label': `only ${nameOf(item)}` })
      label.append(box, make('span', nameOf(item)), count)
      row.append(label, only)
      byId(id).append(row)
      /** @param {boolean} isHidden */
      const setHidden = (isHidden) => void (isHidden ? hidden.add(item) : hidden.delete(item))
      group.push({ box, count, isHidden: () => hidden.has(item), setHidden, countNow: () => countOf(item) })
      box.addEventListener('change', () => {
        setHidden(!box.checked)
        this.#changed()
      })
      only.addEventListener('click', () => {
        for (const other of items) hidden.add(other)
        hidden.delete(item)
        this.#changed()
      })
    }
    this.groups.push(group)
  }
}

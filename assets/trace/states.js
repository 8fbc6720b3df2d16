/** @import { Trace } from './model.js' */
import { CONDITIONS } from './spans.js'

/**
 * What is known of a node after a step. Ballots are numbers of TraceData.ballots.
 * @typedef {{ condition: string, phase: string, ballot: number, promised: number, decidedUpTo: number, appliedUpTo: number, writeStep: number }} NodeState
 */

/** A state of all nodes is kept for every so many steps. */
const KEYFRAME_STEPS = 256

/** The state of each node after any step. */
export class NodeStates {
  /** @type {NodeState[][]} */
  #keyframes

  /** @param {Trace} trace */
  constructor(trace) {
    this.trace = trace
    this.#keyframes = this.#makeKeyframes()
  }

  /** @param {number} step @returns {NodeState[]} */
  after(step) {
    const frame = Math.floor(step / KEYFRAME_STEPS)
    const states = structuredClone(this.#keyframes[frame] ?? [])
    for (let at = frame * KEYFRAME_STEPS + 1; at <= step; at++) this.#change(states, at)
    return states
  }

  #makeKeyframes() {
    const { trace } = this
    /** @type {NodeState[]} */
    const states = trace.data.nodeIds.map(() => ({
      condition: 'not started',
      phase: '',
      ballot: 0,
      promised: 0,
      decidedUpTo: 0,
      appliedUpTo: 0,
      writeStep: 0,
    }))
    const frames = [structuredClone(states)]
    for (let step = 1; step <= trace.count; step++) {
      this.#change(states, step)
      if (step % KEYFRAME_STEPS === 0) frames.push(structuredClone(states))
    }
    return frames
  }

  /** @param {NodeState[]} states @param {number} step */
  #change(states, step) {
    const { trace } = this
    const state = states[trace.lane[step]]
    if (state === undefined) return
    const kind = trace.kindOf(step)
    const condition = CONDITIONS.get(kind)
    if (condition !== undefined) {
      state.condition = condition
      if (condition === 'paused' || kind === 'woke') return
      state.phase = condition === 'up' ? 'starting' : ''
      state.ballot = 0
      state.writeStep = 0
    } else if (kind === 'recovered') {
      state.phase = 'joining'
      state.promised = trace.ballot[step]
      state.decidedUpTo = trace.value[step]
      state.appliedUpTo = trace.slot[step]
    } else if (kind === 'phase') {
      state.phase = trace.data.phases[trace.state[step]] ?? ''
      state.ballot = trace.ballot[step]
    } else if (kind === 'promised') state.promised = trace.ballot[step]
    else if (kind === 'decided') state.decidedUpTo = trace.value[step]
    else if (kind === 'applied') state.appliedUpTo = trace.slot[step]
    else if (kind === 'writeBegun') state.writeStep = step
    else if (kind === 'writeEnded') state.writeStep = 0
  }
}

import type { Random } from './random.js'
import type { SimulatedNode } from './simulated-node.js'

/** Faults of a node and its disk. */
export const nodeFaults = {
  stop(node: SimulatedNode): void {
    node.stop()
  },
  failNextWrite({ disk }: SimulatedNode): void {
    disk.failNextWrite()
  },
  setStalled({ disk }: SimulatedNode, isStalled: boolean): void {
    disk.isStalled = isStalled
  },
  setFull({ disk }: SimulatedNode, isFull: boolean): void {
    disk.isFull = isFull
  },
  corruptRecord({ disk }: SimulatedNode, random: Random): void {
    disk.corruptRecord(random)
  },
}

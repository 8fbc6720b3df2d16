import type { Random } from './random.js'
import type { SimulatedNode } from './simulated-node.js'

/** Faults of a node and its disk, as near as today's world comes to them. */
export const nodeFaults = {
  stop(node: SimulatedNode): void {
    node.handOver()
    node.crash()
  },
  failNextWrite(node: SimulatedNode): void {
    node.crashInWrite()
  },
  setStalled({ disk }: SimulatedNode, isStalled: boolean): void {
    disk.isSlow = isStalled
  },
  setFull(node: SimulatedNode, isFull: boolean): void {
    if (isFull) node.crash()
  },
  corruptRecord(node: SimulatedNode, _random: Random): void {
    node.loseDirectory()
  },
}

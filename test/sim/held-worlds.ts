/**
 * Number of worlds that seeds.test.ts runs. With seeds from 1 to this number everything holds, so that a violation there is
 * caused by a deliberate bug.
 */
export const HELD_WORLDS = 70

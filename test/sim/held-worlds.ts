/** Worlds that seeds.test.ts lives through: with seeds from 1 to so many every promise holds, so that what breaks there was broken on purpose. */
export const HELD_WORLDS = 70

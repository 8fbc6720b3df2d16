import { testSurvivors } from './mutation-tests.js'
import { SURVIVORS } from './survivors.js'

testSurvivors(SURVIVORS, 3)

// Opens trace pages in a real browser, and tries everything that one can do with them. Skips where there is no Chromium.
//   node --import tsx scripts/browser/trace-page.ts [folder for the pictures]
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import type { SeedResult } from '../../src/sim/runs/run-seed.js'
import { tracePage } from '../../src/sim/trace/trace-page.js'
import { tracedRun } from '../../src/sim/trace/traced-run.js'
import { brokenWorld, eventfulWorld } from '../../test/support/traced-world.js'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium']
const FRAME_MS_MAX = 250
const FRAMES = 20

interface Opened {
  readonly page: Page
  /** What must not be: errors, and requests for anything but the page itself. */
  readonly trouble: string[]
}

const executablePath = process.env['CHROMIUM'] ?? PLACES.find((place) => existsSync(place))
if (executablePath === undefined) {
  console.log(`skipped: there is no Chromium at ${PLACES.join(', ')} (CHROMIUM=/path/to/it tells of another place)`)
} else {
  const folder = resolve(process.argv[2] ?? mkdtempSync(join(tmpdir(), 'synod-trace-')))
  mkdirSync(folder, { recursive: true })
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    await tryAll(browser, folder)
  } finally {
    await browser.close()
  }
}

async function tryAll(browser: Browser, folder: string): Promise<void> {
  const held = write(folder, 'held', await eventfulWorld())
  const broken = write(folder, 'broken', await brokenWorld())
  let passed = 0
  let failed = 0
  for (const [title, run] of checksOf({ browser, held, broken, folder })) {
    try {
      await run()
      passed++
      console.log(`ok   ${title}`)
    } catch (error) {
      failed++
      console.log(`FAIL ${title}\n${error instanceof Error ? error.stack : String(error)}`)
    }
  }
  console.log(`pictures: ${folder}\n\n${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}

function write(folder: string, name: string, result: SeedResult): string {
  const file = join(folder, `${name}.html`)
  writeFileSync(file, tracePage(tracedRun(result, 'synod sim --seed 1')))
  return pathToFileURL(file).href
}

interface Setting {
  readonly browser: Browser
  readonly held: string
  readonly broken: string
  readonly folder: string
}

type Check = readonly [title: string, run: () => Promise<void>]

function checksOf({ browser, held, broken, folder }: Setting): Check[] {
  const open = (address: string, options: OpenOptions = {}) => openPage(browser, address, options)
  const on =
    (address: string, use: (opened: Opened) => Promise<void>, options: OpenOptions = {}) =>
    async () => {
      const opened = await open(address, options)
      await use(opened)
      await opened.page.close()
      assert.deepEqual(opened.trouble, [])
    }
  return [
    [
      'a run that held: shown as a whole, without errors and without a request',
      on(held, ({ page }) => picture(page, folder, 'held')),
    ],
    ['a run that broke: says what, and goes there', on(broken, async ({ page }) => await tryBroken(page, folder))],
    ['zoom and pan by buttons, keys, wheel and pointer', on(held, async ({ page }) => await tryView(page, folder))],
    ['the step slider, the keys and the list go from event to event', on(held, async ({ page }) => await trySteps(page))],
    ['filters hide events, and count them', on(held, async ({ page }) => await tryFilters(page, folder))],
    ['the search goes from match to match', on(held, async ({ page }) => await trySearch(page))],
    ['a click selects what is under the pointer', on(held, async ({ page }) => await tryClick(page, folder))],
    ['the address of a step leads back to it', on(held, async ({ page }) => await tryAddress(page))],
    ['dialogs open and close by keyboard', on(held, async ({ page }) => await tryDialogs(page, folder))],
    ['drawing stays fluid with all events in view', on(held, async ({ page }) => await tryFrames(page))],
    ['dark', on(held, ({ page }) => picture(page, folder, 'dark'), { colorScheme: 'dark' })],
    [
      'narrow, touched',
      on(broken, async ({ page }) => await tryNarrow(page, folder), { width: 390, height: 800, hasTouch: true }),
    ],
  ]
}

interface OpenOptions {
  readonly colorScheme?: 'light' | 'dark'
  readonly width?: number
  readonly height?: number
  readonly hasTouch?: boolean
}

async function openPage(browser: Browser, address: string, options: OpenOptions): Promise<Opened> {
  const { colorScheme = 'light', width = 1_440, height = 900, hasTouch = false } = options
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, hasTouch, reducedMotion: 'reduce' })
  const page = await context.newPage()
  const trouble: string[] = []
  page.on('console', (message) => trouble.push(`${message.type()}: ${message.text()}`))
  page.on('pageerror', (error) => trouble.push(String(error)))
  page.on('request', (request) => {
    if (!request.url().startsWith(address.split('#')[0] ?? '') && !request.url().startsWith('data:')) trouble.push(request.url())
  })
  await page.goto(address)
  await page.waitForSelector('html[data-ready]')
  return { page, trouble }
}

async function picture(page: Page, folder: string, name: string): Promise<void> {
  await settled(page)
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

/** When everything asked for has been drawn. */
async function settled(page: Page): Promise<void> {
  await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
}

/** The diagram as it is drawn now: two are the same only if they look the same. */
async function drawing(page: Page): Promise<string> {
  await settled(page)
  return await page.locator('#diagram').evaluate((canvas) => (canvas as unknown as { toDataURL(): string }).toDataURL())
}

async function stepOf(page: Page): Promise<number> {
  return Number(await page.locator('#step').inputValue())
}

async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).textContent()) ?? ''
}

async function isChangedBy(page: Page, act: () => Promise<unknown>): Promise<void> {
  const before = await drawing(page)
  await act()
  assert.notEqual(await drawing(page), before, 'the diagram is another one')
}

async function tryBroken(page: Page, folder: string): Promise<void> {
  assert.match(await textOf(page, '#verdict'), /Broken.*node \d/)
  const failureStep = await stepOf(page)
  await page.locator('#first').click()
  assert.notEqual(await stepOf(page), failureStep)
  await isChangedBy(page, () => page.locator('#go-to-failure').click())
  assert.equal(await stepOf(page), failureStep)
  await picture(page, folder, 'broken')
}

async function tryView(page: Page, folder: string): Promise<void> {
  await page.locator('#diagram').focus()
  for (const key of ['+', '+', 'ArrowRight', 'ArrowLeft', '-', '0']) await isChangedBy(page, () => page.keyboard.press(key))
  for (const id of ['#zoom-in', '#zoom-out', '#zoom-in', '#fit']) await isChangedBy(page, () => page.locator(id).click())
  const box = await page.locator('#diagram').boundingBox()
  assert.ok(box !== null, 'the diagram is visible')
  await page.mouse.move(box.x + 500, box.y + 300)
  for (let i = 0; i < 14; i++) await isChangedBy(page, () => page.mouse.wheel(0, -300))
  await picture(page, folder, 'near')
  await isChangedBy(page, async () => {
    await page.mouse.down()
    await page.mouse.move(box.x + 300, box.y + 300, { steps: 4 })
    await page.mouse.up()
  })
  await isChangedBy(page, () => page.mouse.wheel(200, 0))
  await isChangedBy(page, () => page.locator('#minimap').click({ position: { x: 700, y: 20 } }))
}

async function trySteps(page: Page): Promise<void> {
  await page.locator('#diagram').focus()
  assert.equal(await stepOf(page), 1)
  await isChangedBy(page, () => page.keyboard.press('n'))
  assert.equal(await stepOf(page), 2)
  await page.locator('#next').click()
  assert.equal(await stepOf(page), 3)
  await page.keyboard.press('p')
  assert.equal(await stepOf(page), 2)
  await page.locator('#slider').focus()
  await page.keyboard.press('ArrowRight')
  assert.equal(await stepOf(page), 3)
  assert.match((await page.locator('#slider').getAttribute('aria-valuetext')) ?? '', /^step 3, 0\.\d+ s: n/)
  await page.locator('#slider').fill('2000')
  assert.equal(await stepOf(page), 2_000)
  assert.match(await textOf(page, '#details'), /step 2,000 of/)
  assert.match(await textOf(page, '#states'), /leading \d+\.\d/)
  const words = await textOf(page, '#around button[aria-current] span:last-child')
  assert.ok((await textOf(page, '#details')).includes(words), words)
  await page.locator('#around li').first().getByRole('button').click()
  assert.ok((await stepOf(page)) < 2_000, 'an earlier one')
  await page.keyboard.press('End')
  assert.match(await textOf(page, '#said'), /no violation/)
  const lane = await textOf(page, '#details')
  await page.locator('#slider').fill('2000')
  await page.keyboard.press(']')
  assert.notEqual(await textOf(page, '#details'), lane)
}

async function tryFilters(page: Page, folder: string): Promise<void> {
  const all = await textOf(page, '#shown')
  await page.keyboard.press('f')
  assert.equal(await page.locator('#toggle-filters').getAttribute('aria-expanded'), 'true')
  await isChangedBy(page, () => page.getByRole('button', { name: 'only accept', exact: true }).click())
  assert.match(await textOf(page, '#shown'), /^[\d,]+ of [\d,]+ events$/)
  await isChangedBy(page, () => page.getByRole('button', { name: 'only lost' }).click())
  await page.locator('#filter-slots').fill('x')
  assert.notEqual(await textOf(page, '#slots-error'), '')
  await page.locator('#filter-slots').fill('1-30')
  assert.equal(await textOf(page, '#slots-error'), '')
  const shown = await textOf(page, '#shown')
  await page.locator('#filter-ballot').selectOption({ index: 1 })
  await picture(page, folder, 'filtered')
  await page.locator('#first').click()
  assert.match(await textOf(page, '#details'), /./)
  assert.notEqual(shown, all)
  await isChangedBy(page, () => page.locator('#clear-filters').click())
  assert.equal(await textOf(page, '#shown'), all)
}

async function trySearch(page: Page): Promise<void> {
  await page.keyboard.press('/')
  await isChangedBy(page, () => page.keyboard.type('n2 crash'))
  assert.match(await textOf(page, '#found'), /^\d+ found$/)
  await page.keyboard.press('Enter')
  const first = await stepOf(page)
  assert.match(await textOf(page, '#details'), /n2 crash/)
  assert.match(await textOf(page, '#found'), /^1 of \d+$/)
  await page.keyboard.press('Enter')
  assert.ok((await stepOf(page)) > first, 'the next one')
  await page.keyboard.press('Shift+Enter')
  assert.equal(await stepOf(page), first)
  await page.keyboard.press('Escape')
  assert.equal(await page.locator('#search').inputValue(), '')
}

/** Goes to a message, and clicks where its end is drawn: in the middle of the picture, on the lane of the receiver. */
async function tryClick(page: Page, folder: string): Promise<void> {
  await page.locator('#search').fill('accepted arrives')
  await page.locator('#search').press('Enter')
  const step = await stepOf(page)
  await page.locator('#diagram').focus()
  await page.keyboard.press('z')
  for (let i = 0; i < 6; i++) await page.keyboard.press('+')
  await page.keyboard.press('m')
  assert.ok((await stepOf(page)) < step, 'the other end is the sending')
  await page.keyboard.press('m')
  assert.equal(await stepOf(page), step)
  await picture(page, folder, 'message')
  const box = await page.locator('#diagram').boundingBox()
  assert.ok(box !== null, 'the diagram is visible')
  await page.locator('#first').click()
  const selected = await stepOf(page)
  await page.locator('#fit').click()
  for (let y = 60; y < box.height && (await stepOf(page)) === selected; y += 9) await page.mouse.click(box.x + 650, box.y + y)
  assert.notEqual(await stepOf(page), selected, 'something is under the pointer somewhere')
  await page.mouse.move(box.x + 650, box.y + 20)
}

async function tryAddress(page: Page): Promise<void> {
  await page.locator('#step').fill('1234')
  await page.locator('#step').press('Enter')
  await page.waitForURL(/#step=1234&/)
  const far = page.url()
  await page.locator('#zoom-step').click()
  await page.waitForURL((url) => url.href !== far)
  const words = await textOf(page, '#details')
  const before = await drawing(page)
  await page.reload()
  await page.waitForSelector('html[data-ready]')
  assert.equal(await textOf(page, '#details'), words)
  assert.equal(await drawing(page), before)
}

async function tryDialogs(page: Page, folder: string): Promise<void> {
  for (const name of ['about', 'help']) {
    await page.locator(`#show-${name}`).focus()
    await page.keyboard.press('Enter')
    assert.equal(await page.locator(`#${name}`).isVisible(), true)
    await picture(page, folder, name)
    await page.keyboard.press('Escape')
    assert.equal(await page.locator(`#${name}`).isVisible(), false)
  }
}

/** Without a graphics card, on a busy machine: an order of magnitude. */
async function tryFrames(page: Page): Promise<void> {
  const frameMs = await page.evaluate<number>(`(async () => {
    const startMs = performance.now()
    for (let i = 0; i < ${FRAMES}; i++) {
      const wheel = new WheelEvent('wheel', { deltaY: i % 2 === 0 ? -20 : 20, cancelable: true })
      document.getElementById('diagram').dispatchEvent(wheel)
      await new Promise((done) => requestAnimationFrame(done))
    }
    return (performance.now() - startMs) / ${FRAMES}
  })()`)
  console.log(`     ${frameMs.toFixed(0)} ms a frame`)
  assert.ok(frameMs < FRAME_MS_MAX, `${frameMs} ms a frame`)
}

async function tryNarrow(page: Page, folder: string): Promise<void> {
  const width = await page.evaluate<number>('document.documentElement.scrollWidth')
  assert.ok(width <= 390, `nothing sticks out: ${width} px`)
  await page.locator('#go-to-failure').tap()
  await settled(page)
  await page.screenshot({ path: join(folder, 'narrow.png'), fullPage: true })
}

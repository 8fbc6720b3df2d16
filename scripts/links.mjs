// Checks the documentation's links: the files and headings that README.md, docs/ and the other pages link to exist, and so do the pages of
// docs/ that sources name. Links to other sites are not followed.
//
//   node scripts/links.mjs
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import process from 'node:process'
import { pathToFileURL } from 'node:url'
import { marked } from 'marked'

const SOURCES = ['src', 'proto', 'test', 'scripts', 'examples']

/** Says of each broken link where it is and what it names. */
export function findBrokenLinks() {
  const pages = [...markdownIn('.'), ...markdownIn('docs')]
  const anchors = new Map(pages.map((page) => [page, anchorsOf(tokensOf(page))]))
  const broken = pages.flatMap((page) =>
    linksOf(tokensOf(page))
      .filter((href) => !/^[a-z]+:/.test(href))
      .filter((href) => !leadsSomewhere(page, href, anchors))
      .map((href) => `${page}: ${href}`),
  )
  return [...broken, ...SOURCES.flatMap(findUnknownPages)]
}

function markdownIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name))
}

function tokensOf(page) {
  const tokens = []
  void marked.walkTokens(marked.lexer(readFileSync(page, 'utf8')), (token) => void tokens.push(token))
  return tokens
}

function linksOf(tokens) {
  return tokens.filter(({ type }) => type === 'link' || type === 'image').map(({ href }) => href)
}

/** As GitHub makes them: words of a heading in lower case, joined by hyphens; the second of a name gets -1. */
function anchorsOf(tokens) {
  const counts = new Map()
  return tokens
    .filter(({ type }) => type === 'heading')
    .map(({ text }) => {
      const name = text
        .toLowerCase()
        .replace(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-')
      const count = counts.get(name) ?? 0
      counts.set(name, count + 1)
      return count === 0 ? name : `${name}-${count}`
    })
}

function leadsSomewhere(page, href, anchors) {
  const [path = '', anchor] = href.split('#')
  const target = path === '' ? page : normalize(join(dirname(page), decodeURIComponent(path)))
  if (!existsSync(target)) return false
  return anchor === undefined || (anchors.get(target)?.includes(anchor) ?? false)
}

/** The pages of docs/ that a comment or a message names, and their numbered rules. */
function findUnknownPages(folder) {
  const rules = readFileSync('docs/protocol.md', 'utf8')
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => !file.startsWith(join('src', 'gen')) && statSync(file).isFile() && /\.(ts|mjs|proto)$/.test(file))
    .flatMap((file) =>
      [...readFileSync(file, 'utf8').matchAll(/\b(docs\/[a-z-]+\.md)(?:, rules? (\d)(?: and (\d))?)?/g)]
        .filter(([, page = '', ...cited]) => !existsSync(page) || cited.some((n) => n && !rules.includes(`\n${n}. **`)))
        .map(([words]) => `${file}: ${words}`),
    )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const broken = findBrokenLinks()
  for (const line of broken) console.error(line)
  process.exitCode = broken.length === 0 ? 0 : 1
}

import { isIPv6 } from 'node:net'

/** What an address must be, for people. */
export const ADDRESS_FORM = 'HOST:PORT, with a port from 1 to 65,535'

/** Whether it is host:port: a name, an IPv4 address, or an IPv6 address in brackets. */
export function isAddress(text: string): boolean {
  const [, bracketed, host = '', port = ''] = /^(?:\[([^\]]*)\]|([^\s:/,=@[\]]+)):(\d{1,5})$/.exec(text) ?? []
  if (bracketed === undefined ? host === '' : !isIPv6(bracketed)) return false
  return Number(port) >= 1 && Number(port) <= 65_535
}

/** Page after page of a listing, from `pageToken` on, until one says that it is the last. */
export async function* pagesFrom<Page extends { readonly nextPageToken: string }>(
  pageToken: string | undefined,
  read: (pageToken: string) => Promise<Page>,
): AsyncGenerator<Page> {
  for (let token = pageToken ?? ''; ; ) {
    const page = await read(token)
    yield page
    token = page.nextPageToken
    if (token === '') return
  }
}

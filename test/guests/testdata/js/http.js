// Answers requests; test/guests says what is asked of it.
addEventListener('fetch', event => event.respondWith(answer(event.request)));

async function answer(request) {
  const {pathname, searchParams} = new URL(request.url);
  const route = `${request.method} /${pathname.split('/')[1]}`;
  switch (route) {
    case 'GET /hello': {
      const name = decodeURIComponent(pathname.split('/')[2]);
      return new Response(`hello ${name}, ${searchParams.get('what')}`, {headers: {'content-type': 'text/plain'}});
    }
    case 'POST /echo':
      return new Response(request.body, {headers: {'x-seen': request.headers.get('x-sent')}});
    case 'POST /sum':
      return sum(await request.text());
    case 'GET /lines':
      return new Response(lines(10_000));
    case 'GET /fetch':
      return relay(searchParams.get('url'));
    default:
      return new Response('404 page not found\n', {status: 404});
  }
}

function sum(text) {
  try {
    return Response.json({sum: JSON.parse(text).reduce((a, b) => a + b, 0)});
  } catch {
    return new Response('no list of numbers\n', {status: 400});
  }
}

// lines is a body that is made while it is sent.
function lines(n) {
  const line = new TextEncoder().encode('x'.repeat(99) + '\n');
  return new ReadableStream({
    pull(controller) {
      if (n-- > 0) controller.enqueue(line.slice()); // which takes it away
      else controller.close();
    },
  });
}

async function relay(url) {
  try {
    const got = await fetch(url);
    return new Response(`${got.status} ${await got.text()}`);
  } catch (err) {
    return new Response(`failed: ${err}`, {status: 502});
  }
}

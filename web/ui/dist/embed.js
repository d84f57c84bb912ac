// <script src="https://HOTLINE/embed.js" data-place="#id" async></script> puts the page that calls the hotline where
// data-place points, or where the script stands. data-language is zh-CN or en; data-height is in pixels.
(() => {
  const script = document.currentScript
  if (!script) return
  const { place, language, height } = script.dataset
  const address = new URL('/call', script.src)
  address.searchParams.set('embedded', '1')
  if (language) address.searchParams.set('language', language)
  const frame = document.createElement('iframe')
  frame.src = address.href
  frame.title = language === 'en' ? 'Call us' : '在线通话'
  frame.allow = 'microphone; autoplay'
  frame.referrerPolicy = 'origin'
  frame.width = '320'
  frame.height = String(Number(height) || 420)
  frame.style.border = '0'
  frame.style.maxWidth = '100%'
  const target = place && document.querySelector(place)
  if (target) target.append(frame)
  else script.after(frame)
})()

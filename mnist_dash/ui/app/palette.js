// The palette, the sheet and the keyboard shortcuts. Pages and networks are matched here, runs and studies by the server.

const states = new WeakMap()
const ASK_MS = 120
const SEQUENCE_MS = 1500
const TYPED_IN = "input, textarea, select, [contenteditable=''], [contenteditable=true], [role=textbox], [role=combobox], [role=spinbutton]"
const PRESSED_ONLY = "input:is([type=checkbox], [type=radio], [type=button], [type=submit], [type=range], [type=file])"

function make(tag, className, text) {
  const element = document.createElement(tag)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

const wordsOf = text => text.toLowerCase().match(/[\p{L}\p{N}_.]+/gu) ?? []

// Places whose title has the first word at its beginning come first; then by the order in which they were given.
function matching(places, text) {
  const wanted = wordsOf(text)
  if (!wanted.length) return text.trim() ? [] : places.filter(place => place.kind === "page")
  const fits = places.filter(place => {
    const said = `${place.title} ${place.kind} ${place.words}`.toLowerCase()
    return wanted.every(word => said.includes(word))
  })
  const rank = place => (place.title.toLowerCase().startsWith(wanted[0]) ? 0 : 1)
  return fits.sort((one, other) => rank(one) - rank(other))
}

function shownPlaces(state) {
  const text = state.input.value
  const found = state.answers.get(text)?.places ?? []
  const exact = found.filter(place => place.kind === "run" && text.trim().length >= 4 && place.name.startsWith(text.trim().toLowerCase()))
  const fixed = matching(state.data.places, text)
  const rest = found.filter(place => !exact.includes(place))
  return text.trim() ? [...exact, ...fixed.slice(0, 8), ...rest] : [...rest, ...fixed]
}

function drawList(state) {
  const places = shownPlaces(state)
  const answer = state.answers.get(state.input.value)
  state.shown = places
  state.at = Math.min(state.at, Math.max(places.length - 1, 0))
  state.list.replaceChildren(
    ...places.map((place, index) => {
      const row = make("li", "")
      row.id = `jump-${index}`
      row.setAttribute("role", "option")
      row.append(make("span", "title", place.title), make("span", "note", place.note))
      row.onclick = () => choose(state, place)
      row.onpointermove = () => state.at !== index && mark(state, index)
      return row
    }),
  )
  mark(state, state.at)
  const counted = places.length === 1 ? "1 result" : `${places.length} results`
  state.status.textContent = answer?.problem || (answer ? (places.length ? counted : "No results. Try fewer words.") : "Searching runs and studies …")
}

function mark(state, index) {
  state.at = index
  ;[...state.list.children].forEach((row, at) => row.setAttribute("aria-selected", String(at === index)))
  const row = state.list.children[index]
  if (row) state.input.setAttribute("aria-activedescendant", row.id)
  else state.input.removeAttribute("aria-activedescendant")
  row?.scrollIntoView({ block: "nearest" })
}

function ask(state, delay) {
  clearTimeout(state.timer)
  const text = state.input.value
  if (!state.answers.has(text)) state.timer = setTimeout(() => state.report("asked", text), delay)
}

function choose(state, place) {
  clearTimeout(state.timer)
  state.palette.close()
  if (place) state.report("chosen", { kind: place.kind, name: place.name })
}

function openPalette(state) {
  if (state.palette.open) return state.palette.close()
  state.sheet.close()
  state.input.value = ""
  state.at = 0
  state.answers.clear() // runs have come and gone since
  state.palette.showModal()
  state.input.focus()
  drawList(state)
  ask(state, 0)
}

function keys(text) {
  const cell = make("td", "")
  text.split(/[ ]/).forEach((key, index) => cell.append(...(index ? [" then "] : []), make("kbd", "", key)))
  return cell
}

function openSheet(state) {
  const tables = state.data.sheet.map(({ where, rows }) => {
    const table = make("table", "")
    table.append(make("caption", "", where))
    for (const row of rows) {
      const line = make("tr", "")
      const cell = make("td", "")
      row.keys.forEach((key, index) => cell.append(...(index ? [" or "] : []), ...keys(key).childNodes))
      line.append(cell, make("td", "", row.does))
      table.append(line)
    }
    return table
  })
  state.sheet.querySelector(".jump-tables").replaceChildren(...tables)
  state.sheet.showModal()
}

function act(state, row) {
  if (row.action === "palette") openPalette(state)
  else if (row.action === "sheet") openSheet(state)
  else state.report("chosen", { kind: "page", name: row.page })
}

function isTyping(event) {
  const target = event.composedPath()[0]
  if (!(target instanceof Element) || target.matches(PRESSED_ONLY)) return false
  return Boolean(target.closest(TYPED_IN) || target.isContentEditable || target.closest("canvas, [data-testid=stDataFrame]"))
}

// Which shortcut a key completes; "g" alone begins one.
function completed(state, event) {
  const typed = event.key.length === 1 ? event.key.toLowerCase() : event.key
  const held = event.ctrlKey || event.metaKey
  if (event.altKey || (held && event.shiftKey)) return null
  const wanted = held ? `Ctrl+${typed.toUpperCase()}` : performance.now() - state.begun < SEQUENCE_MS ? `g ${typed}` : typed
  state.begun = !held && typed === "g" && !wanted.includes(" ") ? performance.now() : -Infinity
  const rows = state.data.sheet.flatMap(part => part.rows)
  return rows.find(row => row.action && row.keys.includes(wanted) && (row.typing || !isTyping(event))) ?? null
}

function onKey(state, event) {
  if (!state.root.isConnected || event.isComposing || event.repeat) return
  const isElsewhere = document.querySelector("[role=dialog]") && !state.palette.open && !state.sheet.open
  if (isElsewhere) return // a dialog of the page has the keyboard
  if (state.palette.open || state.sheet.open) {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault()
      state.sheet.open ? openPalette(state) : state.palette.close()
    }
    return
  }
  if (isTyping(event) && !(event.ctrlKey || event.metaKey)) {
    state.begun = -Infinity
    return
  }
  const row = completed(state, event)
  const begins = state.begun > 0
  if (!row && !begins) return
  event.preventDefault()
  event.stopImmediatePropagation() // Streamlit has meanings of its own for single letters
  if (row) act(state, row)
}

function onPaletteKey(state, event) {
  const last = state.shown.length - 1
  const to = { ArrowDown: state.at + 1, ArrowUp: state.at - 1 }[event.key]
  event.stopPropagation() // nothing that is typed here is for the page behind
  if (event.isComposing) return
  if (to !== undefined) {
    event.preventDefault()
    mark(state, to > last ? 0 : to < 0 ? Math.max(last, 0) : to)
  } else if (event.key === "Enter") {
    event.preventDefault()
    choose(state, state.shown[state.at])
  }
}

function start(root) {
  const find = selector => root.querySelector(selector)
  const state = {
    root,
    palette: find(".jump-palette"),
    sheet: find(".jump-sheet"),
    input: find("input"),
    list: find("ul"),
    status: find(".jump-status"),
    answers: new Map(),
    shown: [],
    at: 0,
    timer: 0,
    begun: -Infinity,
    data: { places: [], sheet: [] },
    report: () => {},
  }
  find(".jump-open").onclick = () => openPalette(state)
  find(".jump-keys").onclick = () => openSheet(state)
  for (const dialog of [state.palette, state.sheet]) {
    dialog.querySelector(".jump-close").onclick = () => dialog.close()
    dialog.onclick = event => event.target === dialog && dialog.close()
  }
  state.palette.onclose = () => clearTimeout(state.timer) // a late question would undo the way that was chosen
  state.palette.onkeydown = event => onPaletteKey(state, event)
  state.sheet.onkeydown = event => event.stopPropagation()
  state.input.oninput = () => {
    state.at = 0
    drawList(state)
    ask(state, ASK_MS)
  }
  state.listener = event => onKey(state, event)
  window.addEventListener("keydown", state.listener, { capture: true })
  states.set(root, state)
  return state
}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".jump")
  const state = states.get(root) ?? start(root)
  state.data = data
  state.report = setTriggerValue
  if (data.found) {
    state.answers.set(data.found.asked, data.found)
    if (state.palette.open) drawList(state)
  }
  return () => {
    window.removeEventListener("keydown", state.listener, { capture: true })
    clearTimeout(state.timer)
    states.delete(root)
  }
}

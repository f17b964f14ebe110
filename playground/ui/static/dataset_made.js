// A dataset that another tab has made: told, with the way to it.
window.playground.datasetMade = (say, {id, name, count, stop, notes}) => {
  const cases = say('dataset_cases').replace('{count}', count.toLocaleString(playground.language()));
  const said = [say('dataset_kept').replace('{name}', () => name), cases + '.', stop ? say('dataset_stop').replace('{stop}', () => stop) : '', ...notes].filter(Boolean).join(' ');
  playground.tell('notice', {tone: 'info', message: said, act: {text: say('dataset_open'), fn: () => playground.tell('dataset', {id})}});
};

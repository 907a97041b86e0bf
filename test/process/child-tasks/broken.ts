throw new Error('as planned')

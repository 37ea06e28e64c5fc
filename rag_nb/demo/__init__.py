"The trained default, fetched and put together."

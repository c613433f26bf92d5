# ~/.profile of root

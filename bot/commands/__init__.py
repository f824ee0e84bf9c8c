"""Commands after `/gwevent`: a router, and a module for each subject. They know no Slack client."""

using System.CommandLine;
using TorBalancer.Daemon.Testnet.Cli;

return await new RootCommand("TorBalancer") { TestnetCommand.Create() }.Parse(args).InvokeAsync();

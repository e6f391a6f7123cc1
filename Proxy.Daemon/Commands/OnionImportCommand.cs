using System.CommandLine;
using System.Globalization;
using TorBalancer.Configuration.Options;
using TorBalancer.Daemon.Client;
using TorBalancer.Onion.Crypto;
using TorBalancer.Onion.Importing;
using TorBalancer.Onion.Keys;

namespace TorBalancer.Daemon.Commands;

/// <summary><c>torbalancer onion import</c>: our sections from an Onionbalance configuration.</summary>
internal static class OnionImportCommand
{
    public static Command Create()
    {
        var file = new Argument<string>("file")
        {
            Description = "A config.yaml of Onionbalance, for version 3 services",
            HelpName = "FILE",
        };
        var output = new Option<string?>("--output", "-o")
        {
            Description = "The file to write the sections to; without it they are printed",
            HelpName = "FILE",
        };
        var force = new Option<bool>("--force") { Description = "Overwrite that file when it is there already" };
        var command = new Command("import", "Write the sections of torbalancer.conf that an Onionbalance configuration comes to.")
        {
            file, output, force,
        };
        command.SetAction((parsed, cancellationToken) => RunAsync(
            parsed.GetValue(file)!, parsed.GetValue(output), parsed.GetValue(force), parsed.InvocationConfiguration.Output,
            parsed.InvocationConfiguration.Error, cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(
        string path, string? target, bool force, TextWriter output, TextWriter error, CancellationToken cancellationToken)
    {
        string text;
        try
        {
            if (Directory.Exists(path))
                throw new IOException("it is a directory");
            text = await File.ReadAllTextAsync(path, cancellationToken);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            await error.WriteLineAsync($"torbalancer onion import: cannot read {path}: {failure.Message}");
            return ExitCodes.Failed;
        }

        string full = Path.GetFullPath(path);
        var configuration = OnionbalanceReader.Read(text, Path.GetDirectoryName(full)!, out var errors, out var warnings);
        foreach (var problem in errors)
            await error.WriteLineAsync(Line(path, problem.Line, problem.Message));
        foreach (var problem in warnings)
            await error.WriteLineAsync(Line(path, problem.Line, $"warning: {problem.Message}"));
        if (configuration is null)
            return ExitCodes.Failed;
        var (sections, problems) = SectionsOf(configuration, full);
        foreach (var problem in problems)
            await error.WriteLineAsync(Line(path, problem.Line, $"warning: {problem.Message}"));
        try
        {
            await WriteAsync(sections, target, force, output);
            return ExitCodes.Done;
        }
        catch (InitException failure)
        {
            await error.WriteLineAsync($"torbalancer onion import: {failure.Message}");
            return ExitCodes.Failed;
        }
    }

    private static (string Text, List<ImportProblem> Problems) SectionsOf(OnionbalanceConfiguration configuration, string path)
    {
        var problems = new List<ImportProblem>();
        var sections = new OnionSections(
            $"Made by: torbalancer onion import {path}",
            "Onionbalance and torbalancer publish may run at the same time: with one key in one file they do no harm to each other.");
        const string managed = "A tor of the publisher's own. To use the one that Onionbalance has:\nControlPort = unix:/run/tor/control";
        (string, string, string)[] keys = [("Managed", "yes", managed)];
        if (configuration.StatusSocket is { } socket)
            keys = [.. keys, ("Status", $"unix:{socket}", "Where Onionbalance had its own.")];
        sections.AddPublisher(keys);
        var addresses = configuration.Services.Select(service => AddressOf(service, problems)).ToArray();
        foreach (var (index, service) in configuration.Services.Index())
        {
            var address = addresses[index];
            if (Array.FindIndex(addresses, 0, index, one => address is not null && one == address) is >= 0 and var first)
            {
                string line = configuration.Services[first].Line.ToString(CultureInfo.InvariantCulture);
                problems.Add(new ImportProblem(
                    service.Line, $"{address} is the address of the service in line {line} already: put the instances of both into one"));
            }

            foreach (var (_, instance) in service.Instances.Where(one => addresses.Contains(one.Address)))
                problems.Add(new ImportProblem(service.Line, $"{instance} is among the instances and a service itself: take it out"));
            if (!OnionSections.CanBeWritten(service.Key))
                problems.Add(new ImportProblem(service.Line, "a path with a double quote and ; or # cannot be written: rename the key"));
            if (service.Instances.Count > OnionServiceOptions.MostInstances)
            {
                problems.Add(new ImportProblem(service.Line, string.Create(
                    CultureInfo.InvariantCulture,
                    $"{service.Instances.Count} instances, of which {OnionServiceOptions.MostInstances} are possible: take some out")));
            }

            sections.AddService(
                NameOf(service.Key), service.Key, address, service.Instances.Select(static one => (one.Name, one.Address)));
        }

        return (sections.ToString(), problems);
    }

    // onionbalance-config calls a key by the address, of which the beginning is name enough.
    private static string NameOf(string keyPath)
    {
        const int addressPart = 16;
        string name = Path.GetFileNameWithoutExtension(keyPath);
        if (name == TorKeyFiles.SecretName)
            name = Path.GetFileName(Path.GetDirectoryName(keyPath)) ?? name;
        return OnionServiceAddress.TryParse(name, out var address, out _) ? address.Label[..addressPart] : name;
    }

    // What is wrong with a key does not hinder the import, which may be made by somebody who may not read it.
    private static OnionServiceAddress? AddressOf(OnionbalanceService service, List<ImportProblem> problems)
    {
        try
        {
            using var key = KeyFile.Load(service.Key);
            return key.Address;
        }
        catch (Exception failure) when (failure is KeyFileException or OnionCryptoException)
        {
            problems.Add(new ImportProblem(service.Line, failure.Message));
            return null;
        }
    }

    private static async Task WriteAsync(string sections, string? target, bool force, TextWriter output)
    {
        if (target is null)
        {
            await output.WriteAsync(sections);
            return;
        }

        string full = Path.GetFullPath(target);
        var files = new InitFiles(Path.GetDirectoryName(full)!, force);
        if (!force && File.Exists(full))
            throw new InitException($"{full} is there already; name another --output, or --force to replace it");
        files.Write(Path.GetFileName(full), sections);
        await output.WriteLineAsync($"{full}: written; torbalancer onion check --config {full} says whether it works");
        await output.WriteLineAsync(
            "The unit torbalancer-publish has a user of its own, who reads neither this file nor Onionbalance's keys. For it, with each "
                + "key:");
        await output.WriteLineAsync("  install -m 600 -o torbalancer-publish KEYFILE /etc/torbalancer/, and its new place as Key");
        await output.WriteLineAsync($"  chown torbalancer-publish: {full}");
    }

    private static string Line(string path, int line, string message) =>
        string.Create(CultureInfo.InvariantCulture, $"{path}:{line}: {message}");
}

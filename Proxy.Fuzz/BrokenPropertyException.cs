namespace TorBalancer.Fuzz;

/// <summary>Something that must hold of every input does not hold of this one.</summary>
internal sealed class BrokenPropertyException(string property) : Exception(property);

/// <summary>What must hold.</summary>
internal static class Expect
{
    /// <param name="property">What holds, as a sentence.</param>
    public static void That(bool holds, string property)
    {
        if (!holds)
            throw new BrokenPropertyException(property);
    }

    /// <param name="property">What is the same, as a sentence.</param>
    public static void Same<T>(T one, T other, string property)
    {
        if (!EqualityComparer<T>.Default.Equals(one, other))
            throw new BrokenPropertyException($"{property}\none:   {one}\nother: {other}");
    }

    /// <summary>The result of what hands work to other threads, and has nothing to wait for beside it.</summary>
    public static T Soon<T>(ValueTask<T> task)
    {
        var whole = task.AsTask();
        That(whole.Wait(TimeSpan.FromSeconds(10)), "nothing is waited for that will not come");
        return whole.Result;
    }

    /// <summary>The result of what has nothing to wait for.</summary>
    public static T AtOnce<T>(ValueTask<T> task)
    {
        That(task.IsCompleted, "nothing is waited for that will not come");
        return task.Result;
    }
}
